/** Topics that come from the log, and so can be resumed by number. */
export const logTopics: readonly string[] = ['runs', 'approvals', 'audit'];

const permissions: Record<'tenant' | 'platform', Record<string, string>> = {
  tenant: { calls: 'calls:read', runs: 'runs:read', approvals: 'approvals:read', audit: 'audit-events:read' },
  platform: { overview: 'platform-calls:read', calls: 'platform-calls:read', audit: 'platform-audit-events:read' },
};

/** The permission that a topic asks for; undefined when there is no such topic in this area. */
export function topicPermission(topic: string, area: 'tenant' | 'platform'): string | undefined {
  return Object.hasOwn(permissions[area], topic) ? permissions[area][topic] : undefined;
}

/** The topic that an event of the log belongs to. */
export function topicOf(eventType: string): string | undefined {
  if (eventType.startsWith('agents.approval.')) return 'approvals';
  if (eventType.startsWith('agents.run.') || eventType.startsWith('agents.step.')) return 'runs';
  return eventType.startsWith('metering.') ? undefined : 'audit';
}
