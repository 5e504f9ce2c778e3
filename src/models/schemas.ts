import Type, { type Static, type TSchema } from 'typebox';

import { formatId } from '#kernel/ids';
import { platformTenantId } from '#tenancy';

import type { Preset } from './presets.ts';
import type { EgressRuleRow, ModelRow, ProviderRow } from './store.ts';
import { type ModelKind, type PresetName, pricedQuantities } from './types.ts';

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const strict = { additionalProperties: false };

/** No control characters and no lone surrogates: PostgreSQL keeps neither, and names are shown in one line. */
const line = (maxLength: number, more: { minLength?: number; description?: string } = {}) =>
  Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]*$', maxLength, ...more });

const kind = Type.Unsafe<ModelKind>({ type: 'string', enum: ['chat', 'embedding'] });
const status = Type.Unsafe<'active' | 'disabled'>({ type: 'string', enum: ['active', 'disabled'] });
const preset = Type.Unsafe<PresetName>({
  type: 'string',
  enum: ['openai', 'anthropic', 'deepseek', 'qwen', 'glm', 'kimi', 'doubao', 'ollama', 'openai-compatible'],
});
const tokens = Type.Integer({ minimum: 1, maximum: 100_000_000 });
const baseUrl = line(500, { description: 'Base address of the API, e.g. https://api.openai.com/v1.' });
const apiKey = Type.String({
  minLength: 1,
  maxLength: 2000,
  pattern: '^[\\u0021-\\u007e]+$',
  description: 'Kept sealed; never shown again.',
});

/** A provider as answers show it: of the key only its last four characters. */
export const providerSchema = Type.Object({
  id: Type.String(),
  name: Type.String({ description: 'First part of `provider/model`.' }),
  preset,
  baseUrl: Type.String(),
  keyHint: nullable(Type.String({ description: 'The last four characters of the key; null: no key.' })),
  status,
  createdAt: Type.String(),
});

/** A provider of the platform. */
export const platformProviderSchema = Type.Object({
  ...providerSchema.properties,
  sharedWith: nullable(Type.Array(Type.String(), { description: 'Tenants that may use it; null: all.' })),
});

const newProvider = {
  preset,
  name: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,39}$' })),
  baseUrl: Type.Optional(baseUrl),
  apiKey: Type.Optional(apiKey),
};
const providerChange = {
  baseUrl: Type.Optional(baseUrl),
  apiKey: Type.Optional(nullable(apiKey)),
  status: Type.Optional(status),
};
const sharedWith = Type.Optional(nullable(Type.Array(Type.String({ maxLength: 40 }), { maxItems: 1000 })));

/** What connects a provider. */
export const newProviderSchema = Type.Object(newProvider, strict);
/** What connects a provider of the platform. */
export const newPlatformProviderSchema = Type.Object(
  {
    ...newProvider,
    apiKeyVariable: Type.Optional(
      line(60, { description: 'Take the key from this environment variable of the server (see provider-offers).' }),
    ),
    sharedWith,
  },
  strict,
);
/** What may change of a provider. */
export const providerChangeSchema = Type.Object(providerChange, strict);
/** What may change of a provider of the platform. */
export const platformProviderChangeSchema = Type.Object({ ...providerChange, sharedWith }, strict);

/** A model as answers show it. */
export const modelSchema = Type.Object({
  id: Type.String(),
  name: Type.String({ description: 'Second part of `provider/model`; the name at the provider.' }),
  kind,
  contextTokens: nullable(Type.Integer()),
  maxOutputTokens: nullable(Type.Integer()),
  maxImageTokens: nullable(Type.Integer()),
  maxAudioTokens: nullable(Type.Integer()),
  cheap: Type.Boolean({ description: 'Whether test keys may use it; counts on providers of the platform.' }),
  fallbacks: Type.Array(Type.String()),
  createdAt: Type.String(),
});

const modelChange = {
  kind: Type.Optional(kind),
  contextTokens: Type.Optional(nullable(tokens)),
  maxOutputTokens: Type.Optional(nullable(tokens)),
  maxImageTokens: Type.Optional(nullable(tokens)),
  maxAudioTokens: Type.Optional(nullable(tokens)),
  fallbacks: Type.Optional(
    Type.Array(line(250, { minLength: 3 }), { maxItems: 5, description: '`provider/model`, tried in this order.' }),
  ),
};
const modelName = Type.String({
  pattern: '^[^\\u0000-\\u0020\\u007f\\ud800-\\udfff][^\\u0000-\\u001f\\u007f\\ud800-\\udfff]*$',
  maxLength: 200,
});
const cheap = Type.Optional(Type.Boolean());

/** What may change of a model. */
export const modelChangeSchema = Type.Object(modelChange, strict);
/** What makes a model. */
export const newModelSchema = Type.Object({ name: modelName, ...modelChange }, strict);
/** What may change of a platform's model: operators also mark it cheap. */
export const platformModelChangeSchema = Type.Object({ ...modelChange, cheap }, strict);
/** What makes a platform's model. */
export const newPlatformModelSchema = Type.Object({ name: modelName, ...modelChange, cheap }, strict);

// Nine digits before the point: the cost of a call stays within what money can hold.
const decimal = Type.String({ pattern: '^(0|[1-9][0-9]{0,8})(\\.[0-9]{1,12})?$' });
const prices = Type.Object(
  Object.fromEntries(pricedQuantities.map((name) => [name, Type.Optional(decimal)])) as Record<
    (typeof pricedQuantities)[number],
    ReturnType<typeof Type.Optional<typeof decimal>>
  >,
  { ...strict, description: 'Decimal strings per single token (or request).' },
);

/** An entry of the price book. */
export const priceSchema = Type.Object({ currency: Type.String(), validFrom: Type.String(), prices });
/** What enters a price. */
export const newPriceSchema = Type.Object(
  {
    currency: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217.' }),
    validFrom: Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601 instant; absent: from now on.' })),
    prices,
  },
  strict,
);

/** How a connection test went. */
export const providerTestSchema = Type.Object({
  ok: Type.Boolean(),
  latencyMs: Type.Integer(),
  models: Type.Array(Type.String()),
  error: nullable(Type.Object({ code: Type.String(), detail: Type.String() })),
});

/** A preset as the console offers it. */
export const presetSchema = Type.Object({
  name: preset,
  title: Type.String(),
  baseUrl: nullable(Type.String()),
  keyNeeded: Type.Boolean(),
  docs: Type.String(),
  models: Type.Array(
    Type.Object({
      name: Type.String(),
      kind,
      contextTokens: Type.Integer(),
      maxOutputTokens: nullable(Type.Integer()),
    }),
  ),
});

/** An offer of the first screen. */
export const offerSchema = Type.Object({
  preset,
  title: Type.String(),
  source: Type.Unsafe<'environment' | 'loopback'>({ type: 'string', enum: ['environment', 'loopback'] }),
  variable: nullable(Type.String()),
  baseUrl: nullable(Type.String()),
  models: Type.Array(Type.String()),
});

/** An egress rule. */
export const egressRuleSchema = Type.Object({
  id: Type.String(),
  tenantId: nullable(Type.String({ description: 'null: holds for everybody.' })),
  target: Type.String(),
  note: Type.String(),
  createdAt: Type.String(),
});
/** What allows a private address. */
export const newEgressRuleSchema = Type.Object(
  {
    tenantId: Type.Optional(nullable(Type.String({ maxLength: 40 }))),
    target: line(200, { minLength: 1, description: '`host:port`, `[IPv6]:port` or a CIDR.' }),
    note: Type.Optional(line(500)),
  },
  strict,
);

/** A provider for an answer. */
export function shownProvider(row: ProviderRow): Static<typeof providerSchema> {
  const { name, preset, baseUrl, keyHint, status, createdAt } = row;
  return { id: formatId('provider', row.id), name, preset, baseUrl, keyHint, status, createdAt };
}

/** A provider of the platform for an answer. */
export function shownPlatformProvider(row: ProviderRow): Static<typeof platformProviderSchema> {
  return { ...shownProvider(row), sharedWith: row.sharedWith?.map((id) => formatId('tenant', id)) ?? null };
}

/** A model for an answer. */
export function shownModel(row: ModelRow): Static<typeof modelSchema> {
  const { tenantId: _tenant, providerId: _provider, bytesPerToken: _bytes, id, ...rest } = row;
  return { id: formatId('model', id), ...rest };
}

/** A preset for an answer. */
export function shownPreset(preset: Preset): Static<typeof presetSchema> {
  const { name, title, baseUrl, docs, auth, models } = preset;
  return {
    name,
    title,
    baseUrl,
    docs,
    keyNeeded: auth === 'bearer',
    models: models.map((model) => ({ ...model, maxOutputTokens: model.maxOutputTokens ?? null })),
  };
}

/** An egress rule for an answer. */
export function shownEgressRule(row: EgressRuleRow): Static<typeof egressRuleSchema> {
  return {
    id: formatId('egressRule', row.id),
    tenantId: row.tenantId === platformTenantId ? null : formatId('tenant', row.tenantId),
    target: row.target,
    note: row.note,
    createdAt: row.createdAt,
  };
}
