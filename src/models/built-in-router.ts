import { platformTenantId } from '#tenancy';

import type { Engine, ListedModel, Target, UnitPrices } from './types.ts';

/** Name of the built-in deterministic router. */
export const routerModel = 'lintel/router';

/** The label of what answers for a model, by what `model` says: every list and answer carries it. */
export function engineOf(model: string): Engine {
  return model === routerModel ? 'deterministic-router' : 'language-model';
}

/** Price 0, since ever. */
export const freeOfCharge: UnitPrices = {
  currency: 'USD',
  validFrom: '1970-01-01T00:00:00Z',
  prices: { input_tokens: '0', output_tokens: '0' },
};

/** The router as lists show it: labelled as no language model. */
export const routerListing: ListedModel = {
  id: routerModel,
  kind: 'chat',
  ownedBy: 'lintel',
  engine: engineOf(routerModel),
  cheap: true,
  contextTokens: null,
  maxOutputTokens: null,
  created: 0,
};

/** The router as a target: no provider, no key. Answered by `generate`, never by HTTP. */
export const routerTarget: Target = {
  id: routerModel,
  providerId: null,
  modelId: null,
  provider: 'lintel',
  model: 'router',
  kind: 'chat',
  preset: 'openai-compatible',
  baseUrl: '',
  ownedBy: 'platform',
  ownerTenantId: platformTenantId,
  cheap: true,
  contextTokens: null,
  maxOutputTokens: null,
  maxImageTokens: 0,
  maxAudioTokens: 0,
  outputCap: { field: 'max_tokens', coversReasoning: true },
  streamUsage: true,
  bytesPerToken: 4,
  fallbacks: [],
  cost: freeOfCharge,
  apiKey: () => undefined,
  headers: () => ({}),
};
