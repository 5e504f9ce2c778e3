/** What a call used, in the names of the price book. `input_tokens` includes the cached and cache-written ones, `output_tokens` the reasoning. */
export type Quantities = {
  readonly input_tokens: number;
  readonly cached_input_tokens: number;
  readonly output_tokens: number;
  readonly reasoning_tokens: number;
  /** Input that was written into the provider's cache, where that has its own price (Anthropic, Qwen's explicit cache). */
  readonly cache_write_input_tokens?: number;
};

/** Names of what a price book entry can price: tokens by kind, and the request itself. */
export const pricedQuantities = [
  'input_tokens',
  'cached_input_tokens',
  'cache_write_input_tokens',
  'output_tokens',
  'reasoning_tokens',
  'requests',
] as const;

/** One of the {@link pricedQuantities}. */
export type PricedQuantity = (typeof pricedQuantities)[number];

/** What a provider charges from an instant on: decimal strings per single unit (one token, one request). */
export type UnitPrices = {
  /** ISO 4217. */
  readonly currency: string;
  /** ISO 8601 UTC: the entry holds from here until the next one. */
  readonly validFrom: string;
  readonly prices: Readonly<Partial<Record<PricedQuantity, string>>>;
};

/** What a model does. */
export type ModelKind = 'chat' | 'embedding';

/** Names of the presets (see presets.ts). */
export type PresetName =
  | 'openai'
  | 'anthropic'
  | 'deepseek'
  | 'qwen'
  | 'glm'
  | 'kimi'
  | 'doubao'
  | 'ollama'
  | 'openai-compatible';

/** A model that a call can be sent to, resolved for one tenant. Holds no secret: the key is opened by `headers()`, in memory only. */
export type Target = {
  /** What callers write as `model`: `provider/model`. */
  readonly id: string;
  /** UUID; null for the built-in `lintel`. */
  readonly providerId: string | null;
  /** UUID; null for the built-in `lintel`. */
  readonly modelId: string | null;
  /** Slug of the provider: the first part of `id`. */
  readonly provider: string;
  /** The model's name at the provider. */
  readonly model: string;
  readonly kind: ModelKind;
  readonly preset: PresetName;
  /** Without a slash at its end: `${baseUrl}/chat/completions`. Empty for the built-in `lintel`. */
  readonly baseUrl: string;
  readonly ownedBy: 'platform' | 'tenant';
  /** The tenant whose key is charged: the platform tenant or the caller's. Its egress rules hold for the address. */
  readonly ownerTenantId: string;
  /** Whether test keys may use it; only the platform marks models so. */
  readonly cheap: boolean;
  readonly contextTokens: number | null;
  readonly maxOutputTokens: number | null;
  /** The most tokens that one image (audio) part of a message can cost as input; null: not known. */
  readonly maxImageTokens: number | null;
  readonly maxAudioTokens: number | null;
  /** The request field that caps the output, and whether hidden reasoning counts towards it. */
  readonly outputCap: { readonly field: 'max_tokens' | 'max_completion_tokens'; readonly coversReasoning: boolean };
  /** Whether `stream_options.include_usage` may be sent. */
  readonly streamUsage: boolean;
  /** UTF-8 bytes of text per token, as observed so far in this process. */
  readonly bytesPerToken: number;
  /** Next ones to try, in order; these have no fallbacks of their own. */
  readonly fallbacks: readonly Target[];
  /** What the provider charges at this moment; undefined: no price known. */
  readonly cost: UnitPrices | undefined;
  /** The provider's key, or undefined where it needs none. */
  apiKey(): string | undefined;
  /** Request headers that authenticate at the provider. */
  headers(): Record<string, string>;
};

/** What answers for a model. `deterministic-router`: no language model; routes to tools by rules and writes no prose. */
export type Engine = 'language-model' | 'deterministic-router';

/** A model as lists show it. */
export type ListedModel = {
  readonly id: string;
  readonly kind: ModelKind;
  readonly ownedBy: 'platform' | 'tenant' | 'lintel';
  readonly engine: Engine;
  readonly cheap: boolean;
  readonly contextTokens: number | null;
  readonly maxOutputTokens: number | null;
  /** Unix seconds. */
  readonly created: number;
};
