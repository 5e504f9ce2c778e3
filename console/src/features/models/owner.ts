import type { Item } from '@lintel/sdk';

/** Whose providers a screen shows. */
export type Owner = 'tenant' | 'platform';

/** A provider as both owners' lists show it. */
export type Provider = Item<'GET /v1/providers'>;

/** A model of a provider as both owners' lists show it. */
export type Model = Item<'GET /v1/providers/{id}/models'>;

const tenant = {
  path: '/v1/providers',
  noun: 'providers',
  modelNoun: 'models',
  list: 'GET /v1/providers',
  create: 'POST /v1/providers',
  test: 'POST /v1/providers/{id}/test',
  one: { patch: 'PATCH /v1/providers/{id}', remove: 'DELETE /v1/providers/{id}' },
  models: {
    list: 'GET /v1/providers/{id}/models',
    create: 'POST /v1/providers/{id}/models',
    remove: 'DELETE /v1/providers/{id}/models/{modelId}',
  },
  prices: {
    list: 'GET /v1/providers/{id}/models/{modelId}/prices',
    create: 'POST /v1/providers/{id}/models/{modelId}/prices',
  },
} as const;

const platform = {
  path: '/v1/platform/providers',
  noun: 'platform-providers',
  modelNoun: 'platform-providers',
  list: 'GET /v1/platform/providers',
  create: 'POST /v1/platform/providers',
  test: 'POST /v1/platform/providers/{id}/test',
  one: { patch: 'PATCH /v1/platform/providers/{id}', remove: 'DELETE /v1/platform/providers/{id}' },
  models: {
    list: 'GET /v1/platform/providers/{id}/models',
    create: 'POST /v1/platform/providers/{id}/models',
    remove: 'DELETE /v1/platform/providers/{id}/models/{modelId}',
  },
  prices: {
    list: 'GET /v1/platform/providers/{id}/models/{modelId}/prices',
    create: 'POST /v1/platform/providers/{id}/models/{modelId}/prices',
  },
} as const;

/** The routes of an owner. Both have the same forms, so screens are written against the tenant's. */
export function routesOf(owner: Owner): typeof tenant {
  return owner === 'tenant' ? tenant : (platform as unknown as typeof tenant);
}
