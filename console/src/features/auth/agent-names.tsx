import { useGet } from '#lib/api.ts';
import { useCan } from '#lib/session.ts';

/** The names of agents that a key is cut down to; the ids of those that are gone. */
export function AgentNames({ ids }: { ids: readonly string[] }) {
  const can = useCan();
  const agents = useGet('GET /v1/agents', { query: { limit: 200 } }, { enabled: can('agents:read') });
  const names = new Map(agents.data?.data.map(({ id, name }) => [id, name]));
  return ids.map((id) => names.get(id) ?? id).join(', ');
}
