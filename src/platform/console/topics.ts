import type { Principal } from '#kernel/http';
import { formatId } from '#kernel/ids';
import type { Event } from '#kernel/log';
import type { LiveMessage } from '#kernel/stream';
import { belongingOf, outsideEvent } from '#security/audit';
import { platformTenantId } from '#tenancy';

/** Topics that come from the log, and so can be resumed by number. */
export const logTopics: readonly string[] = ['runs', 'approvals', 'audit'];

const permissions: Record<'tenant' | 'platform', Record<string, string>> = {
  tenant: { calls: 'calls:read', runs: 'runs:read', approvals: 'approvals:read', audit: 'audit-events:read' },
  platform: { overview: 'platform-calls:read', calls: 'platform-calls:read', audit: 'platform-audit-events:read' },
};

/** Whose topics a principal reads: those of the whole platform for its operators and their keys alike. */
export function areaOf({ tenantId }: Pick<Principal, 'tenantId'>): 'tenant' | 'platform' {
  return tenantId === platformTenantId ? 'platform' : 'tenant';
}

/** The permission that a topic asks for; undefined when there is no such topic in this area. */
export function topicPermission(topic: string, area: 'tenant' | 'platform'): string | undefined {
  return Object.hasOwn(permissions[area], topic) ? permissions[area][topic] : undefined;
}

/** What live readers get of an event of the log; undefined when no topic shows it. */
export function messageOf(event: Event & { seq: number }): LiveMessage | undefined {
  const topic = topicOf(event.type);
  if (topic === undefined) return undefined;
  const data = { ...outsideEvent(withoutCost(event)), id: formatId('event', event.id) };
  return { topic, tenantId: event.tenantId, of: belongingOf(event), event: topic, data, seq: event.seq };
}

/** Events of runs carry what metering needs: what providers charge, and the leases that are charged, are for nobody who watches. */
function withoutCost<T extends Pick<Event, 'data'>>(event: T): T {
  const { usage, charges: _charges, ...data } = (event.data ?? {}) as { usage?: object; charges?: unknown };
  if (usage === undefined) return event;
  const hidden = ['cost', 'costCurrency', 'ownCost', 'ownCostCurrency'];
  const shown = Object.entries(usage).filter(([name]) => !hidden.includes(name));
  return { ...event, data: { ...data, usage: Object.fromEntries(shown) } };
}

function topicOf(eventType: string): string | undefined {
  if (eventType.startsWith('agents.approval.')) return 'approvals';
  if (eventType.startsWith('agents.run.') || eventType.startsWith('agents.step.')) return 'runs';
  return eventType.startsWith('metering.') ? undefined : 'audit';
}
