import type { EventType } from '#kernel/module';

/** What rbac publishes; the subject is the user or key. */
export const events: readonly EventType[] = [
  {
    type: 'rbac.roles.assigned',
    version: 1,
    description: "A principal's roles were set. data.before, data.after: names of roles.",
  },
];
