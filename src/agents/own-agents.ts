import type { Principal } from '#kernel/http';
import { notFound } from '#kernel/problem';

/**
 * 404, as for what is not there, where a key that is cut down to some agents asks for another one's: it sees, decides and
 * changes only what belongs to the agents it may call.
 */
export function requireAgent(agents: Principal['agents'], agentId: string, what: 'agent' | 'run' | 'approval'): void {
  if (agents !== undefined && !agents.includes(agentId)) throw notFound(what);
}
