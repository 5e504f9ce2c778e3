import type { Belonging } from '#kernel/agent-reach';
import type { Event } from '#kernel/log';

/** Whom an event belongs to: the agent that it is about (also through a run or an approval of it) and the key that did it. */
export function belongingOf({ actor, subject, data }: Pick<Event, 'actor' | 'subject' | 'data'>): Belonging {
  const agentId = subject.kind === 'agent' ? subject.id : data?.['agentId'];
  return {
    agentId: typeof agentId === 'string' ? agentId : null,
    keyId: actor.kind === 'key' ? actor.id : null,
  };
}

/** The same for SQL, as a condition on audit_events: `agents` and `key` are its parameters. No id is of two kinds. */
export function withinReach(agents: string, key: string): string {
  return `(${agents}::text[] IS NULL OR actor_id = ${key} OR subject_id = ANY (${agents}) OR data ->> 'agentId' = ANY (${agents}))`;
}
