import type { EventType } from '#kernel/module';

/** What models publishes. No event holds a key, sealed or not. */
export const events: readonly EventType[] = [
  { type: 'models.provider.created', version: 1, description: 'A model provider was connected. data.after.' },
  {
    type: 'models.provider.updated',
    version: 1,
    description: 'Address, key or status changed. data.before, data.after, data.keyChanged.',
  },
  { type: 'models.provider.deleted', version: 1, description: 'A provider was removed with its models. data.before.' },
  { type: 'models.model.created', version: 1, description: 'A model was added to data.providerId. data.after.' },
  {
    type: 'models.model.updated',
    version: 1,
    description: 'A model changed. data.before, data.after, data.providerId.',
  },
  { type: 'models.model.deleted', version: 1, description: 'A model was removed. data.before, data.providerId.' },
  {
    type: 'models.price.set',
    version: 1,
    description: 'What the provider charges from data.after.validFrom on; the subject is the model.',
  },
  {
    type: 'models.egress_rule.created',
    version: 1,
    description: 'The operator allowed a private address, for a tenant or (tenant = platform) for all. data.after.',
  },
  { type: 'models.egress_rule.deleted', version: 1, description: 'A rule was taken back. data.before.' },
];
