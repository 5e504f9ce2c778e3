import type { Principal } from '#kernel/http';

/** What a key that is cut down to some agents may know of: what belongs to these, and the calls it made itself. Undefined: all that its rights show. */
export type Reach = { readonly agents: readonly string[]; readonly keyId: string } | undefined;

/** Whom a call, a usage row or an event belongs to among a tenant's agents and keys. */
export type Belonging = { readonly agentId: string | null; readonly keyId: string | null };

/** The reach of a principal. */
export function reachOf({ agents, id }: Pick<Principal, 'agents' | 'id'>): Reach {
  return agents === undefined ? undefined : { agents, keyId: id };
}

/** Whether a thing is within a reach; what is not is answered like what is not there. Metering's store says the same to the database. */
export function isInReach(reach: Reach, { agentId, keyId }: Belonging): boolean {
  return reach === undefined || keyId === reach.keyId || (agentId !== null && reach.agents.includes(agentId));
}
