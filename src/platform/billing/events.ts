import type { EventType } from '#kernel/module';

/** What billing publishes. */
export const events: readonly EventType[] = [
  {
    type: 'billing.plan.created',
    version: 1,
    description: 'A plan was made. Subject: the plan. data.after: its first version.',
  },
  {
    type: 'billing.plan.changed',
    version: 1,
    description:
      'A plan has a new version. data.before, data.after; data.moved: how many subscriptions went to it (0: only new ones get it).',
  },
  {
    type: 'billing.subscription.changed',
    version: 1,
    description:
      'A tenant is on a plan from data.after.from on. Subject: the subscription. data.before: the plan until then.',
  },
  {
    type: 'billing.invoice.finalised',
    version: 1,
    description: 'A month of a tenant was closed. data: number, period, total, currency, how many lines.',
  },
];
