import type { ModelKind, PresetName } from './types.ts';

/** A model that a preset offers to add. Sizes in tokens. */
export type PresetModel = {
  readonly name: string;
  readonly kind: ModelKind;
  readonly contextTokens: number;
  readonly maxOutputTokens?: number;
};

/** Which fields of `usage` a provider reports cached input in, looked up in this order; a dot goes one level down. */
type CachedField = 'prompt_tokens_details.cached_tokens' | 'prompt_cache_hit_tokens' | 'cached_tokens';

/** How one provider differs from the others behind the same OpenAI-shaped API. */
export type Preset = {
  readonly name: PresetName;
  /** Proper name, the same in every language. */
  readonly title: string;
  /** Null: the operator must give one. Without a slash at its end. */
  readonly baseUrl: string | null;
  /** How the key travels. `bearer`: `Authorization: Bearer …`. */
  readonly auth: 'bearer' | 'bearer-if-any';
  /** Environment variables by which a key is usually named: offered, never used unasked. */
  readonly keyVariables: readonly string[];
  readonly outputCap: { readonly field: 'max_tokens' | 'max_completion_tokens'; readonly coversReasoning: boolean };
  /** Whether `stream_options.include_usage` is understood. */
  readonly streamUsage: boolean;
  readonly cached: readonly CachedField[];
  readonly models: readonly PresetModel[];
  /** The provider's public documentation that this entry was read from. */
  readonly docs: string;
};

const million = 1_000_000;

/**
 * Every preset. No prices: what a provider charges depends on account, region, batch and tier, so the operator enters it.
 * Models are suggestions of the day (read in November 2026); the provider's own list comes from the connection test.
 */
export const presets: Readonly<Record<PresetName, Preset>> = {
  // platform.openai.com/docs/api-reference/chat/create: `max_tokens` is deprecated and refused by reasoning models;
  // `max_completion_tokens` bounds visible and reasoning tokens. Usage: prompt_tokens_details.cached_tokens,
  // completion_tokens_details.reasoning_tokens. Sizes: platform.openai.com/docs/models.
  openai: {
    name: 'openai',
    title: 'OpenAI',
    baseUrl: 'https://api.openai.com/v1',
    auth: 'bearer',
    keyVariables: ['OPENAI_API_KEY'],
    outputCap: { field: 'max_completion_tokens', coversReasoning: true },
    streamUsage: true,
    cached: ['prompt_tokens_details.cached_tokens'],
    models: [
      { name: 'gpt-5.5', kind: 'chat', contextTokens: 1_050_000, maxOutputTokens: 128_000 },
      { name: 'gpt-5.1', kind: 'chat', contextTokens: 400_000, maxOutputTokens: 128_000 },
      { name: 'gpt-4.1', kind: 'chat', contextTokens: 1_047_576, maxOutputTokens: 32_768 },
      { name: 'gpt-4o-mini', kind: 'chat', contextTokens: 128_000, maxOutputTokens: 16_384 },
      { name: 'text-embedding-3-small', kind: 'embedding', contextTokens: 8_192 },
    ],
    docs: 'https://platform.openai.com/docs/api-reference/chat',
  },
  // platform.claude.com/docs/en/api/openai-sdk: /v1/chat/completions with a bearer key; max_tokens, max_completion_tokens and
  // stream_options fully supported, n must be 1, the token details of usage stay empty (prompt caching is not supported there).
  // Ids and sizes: platform.claude.com/docs/about-claude/models/{overview,model-ids-and-versions}.
  anthropic: {
    name: 'anthropic',
    title: 'Anthropic',
    baseUrl: 'https://api.anthropic.com/v1',
    auth: 'bearer',
    keyVariables: ['ANTHROPIC_API_KEY'],
    outputCap: { field: 'max_completion_tokens', coversReasoning: true },
    streamUsage: true,
    cached: ['prompt_tokens_details.cached_tokens'],
    models: [
      { name: 'claude-opus-5-5', kind: 'chat', contextTokens: million, maxOutputTokens: 128_000 },
      { name: 'claude-sonnet-5', kind: 'chat', contextTokens: million, maxOutputTokens: 128_000 },
      { name: 'claude-haiku-4-5-20251001', kind: 'chat', contextTokens: 200_000, maxOutputTokens: 64_000 },
    ],
    docs: 'https://platform.claude.com/docs/en/api/openai-sdk',
  },
  // api-docs.deepseek.com/api/create-chat-completion: prompt_tokens = prompt_cache_hit_tokens + prompt_cache_miss_tokens;
  // completion_tokens_details.reasoning_tokens; max_tokens bounds the chain of thought too. V4: 1M context, 384K output.
  deepseek: {
    name: 'deepseek',
    title: 'DeepSeek',
    baseUrl: 'https://api.deepseek.com',
    auth: 'bearer',
    keyVariables: ['DEEPSEEK_API_KEY'],
    outputCap: { field: 'max_tokens', coversReasoning: true },
    streamUsage: true,
    cached: ['prompt_cache_hit_tokens', 'prompt_tokens_details.cached_tokens'],
    models: [
      { name: 'deepseek-v4-flash', kind: 'chat', contextTokens: million, maxOutputTokens: 384_000 },
      { name: 'deepseek-v4-pro', kind: 'chat', contextTokens: million, maxOutputTokens: 384_000 },
    ],
    docs: 'https://api-docs.deepseek.com/api/create-chat-completion',
  },
  // help.aliyun.com/en/model-studio/compatibility-of-openai-with-dashscope (2026-03): the Beijing address; other regions have
  // their own, entered as the base address. `max_tokens` is not documented to bound the chain of thought (`thinking_budget`
  // does, model-studio/deep-thinking), so a cap is not taken for an upper bound of what thinking models bill.
  qwen: {
    name: 'qwen',
    title: 'Qwen (DashScope)',
    baseUrl: 'https://dashscope.aliyuncs.com/compatible-mode/v1',
    auth: 'bearer',
    keyVariables: ['DASHSCOPE_API_KEY'],
    outputCap: { field: 'max_tokens', coversReasoning: false },
    streamUsage: true,
    cached: ['prompt_tokens_details.cached_tokens'],
    models: [
      { name: 'qwen3-max', kind: 'chat', contextTokens: 262_144 },
      { name: 'qwen-plus', kind: 'chat', contextTokens: million },
      { name: 'qwen-flash', kind: 'chat', contextTokens: million },
    ],
    docs: 'https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-chat-completions',
  },
  // docs.bigmodel.cn/api-reference: max_tokens (1 to 131072); usage with prompt_tokens_details.cached_tokens. GLM-4.6: 200K context,
  // 128K output. Recorded streams show stream_options accepted and `usage` in the last chunk.
  glm: {
    name: 'glm',
    title: 'GLM (Zhipu)',
    baseUrl: 'https://open.bigmodel.cn/api/paas/v4',
    auth: 'bearer',
    keyVariables: ['ZHIPUAI_API_KEY', 'ZHIPU_API_KEY', 'BIGMODEL_API_KEY'],
    outputCap: { field: 'max_tokens', coversReasoning: true },
    streamUsage: true,
    cached: ['prompt_tokens_details.cached_tokens'],
    models: [
      { name: 'glm-5', kind: 'chat', contextTokens: 200_000, maxOutputTokens: 128_000 },
      { name: 'glm-4.6', kind: 'chat', contextTokens: 200_000, maxOutputTokens: 128_000 },
    ],
    docs: 'https://docs.bigmodel.cn/api-reference',
  },
  // platform.kimi.ai/docs (Moonshot): api.moonshot.cn in China, api.moonshot.ai elsewhere. Automatic caching reports
  // `cached_tokens` beside prompt_tokens, newer models in prompt_tokens_details too; streams carry `usage` in the last choice.
  kimi: {
    name: 'kimi',
    title: 'Kimi (Moonshot)',
    baseUrl: 'https://api.moonshot.cn/v1',
    auth: 'bearer',
    keyVariables: ['MOONSHOT_API_KEY', 'KIMI_API_KEY'],
    outputCap: { field: 'max_tokens', coversReasoning: true },
    streamUsage: true,
    cached: ['cached_tokens', 'prompt_tokens_details.cached_tokens'],
    models: [{ name: 'kimi-k2.6', kind: 'chat', contextTokens: 262_144 }],
    docs: 'https://platform.kimi.ai/docs/api/chat',
  },
  // volcengine.com/docs/82379 (Ark chat API) and docs.byteplus.com: max_tokens leaves the chain of thought out,
  // max_completion_tokens covers answer and thought (0 to 65536) and excludes max_tokens; usage as OpenAI's.
  doubao: {
    name: 'doubao',
    title: 'Doubao (Volcengine Ark)',
    baseUrl: 'https://ark.cn-beijing.volces.com/api/v3',
    auth: 'bearer',
    keyVariables: ['ARK_API_KEY', 'VOLC_ARK_API_KEY'],
    outputCap: { field: 'max_completion_tokens', coversReasoning: true },
    streamUsage: true,
    cached: ['prompt_tokens_details.cached_tokens'],
    models: [
      { name: 'doubao-seed-2-0-pro-260215', kind: 'chat', contextTokens: 262_144, maxOutputTokens: 65_536 },
      { name: 'doubao-seed-1-6-251015', kind: 'chat', contextTokens: 262_144, maxOutputTokens: 65_536 },
    ],
    docs: 'https://www.volcengine.com/docs/82379/1494384',
  },
  // docs.ollama.com/api/openai-compatibility: the key is ignored; stream_options.include_usage and max_tokens are supported;
  // usage has no details. Its models are those pulled on that machine.
  ollama: {
    name: 'ollama',
    title: 'Ollama',
    baseUrl: 'http://127.0.0.1:11434/v1',
    auth: 'bearer-if-any',
    keyVariables: [],
    outputCap: { field: 'max_tokens', coversReasoning: true },
    streamUsage: true,
    cached: ['prompt_tokens_details.cached_tokens'],
    models: [],
    docs: 'https://docs.ollama.com/api/openai-compatibility',
  },
  'openai-compatible': {
    name: 'openai-compatible',
    title: 'OpenAI-compatible',
    baseUrl: null,
    auth: 'bearer-if-any',
    keyVariables: [],
    outputCap: { field: 'max_tokens', coversReasoning: true },
    streamUsage: true,
    cached: ['prompt_tokens_details.cached_tokens', 'prompt_cache_hit_tokens', 'cached_tokens'],
    models: [],
    docs: 'https://platform.openai.com/docs/api-reference/chat',
  },
};

/** Names of all presets, in the order they are offered. */
export const presetNames = Object.keys(presets) as PresetName[];
