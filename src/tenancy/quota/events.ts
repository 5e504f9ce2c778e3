import type { EventType } from '#kernel/module';

/** What quota publishes; the subject is the limit. */
export const events: readonly EventType[] = [
  { type: 'quota.limit.created', version: 1, description: 'A limit was set. data.after: the limit.' },
  { type: 'quota.limit.updated', version: 1, description: 'A limit was changed. data.before, data.after.' },
  { type: 'quota.limit.deleted', version: 1, description: 'A limit was taken away. data.before: the limit.' },
];
