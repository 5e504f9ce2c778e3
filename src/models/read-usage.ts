import { presets } from './presets.ts';
import type { PresetName, Quantities } from './types.ts';

/** More tokens than any call has: what is above is a broken counter, not usage. */
const mostTokens = 1_000_000_000;

/**
 * What a call used, from the `usage` object of a provider's answer. Always: input includes cached, output includes reasoning, parts are
 * at most their whole, all non-negative integers. Undefined when the object is absent or no counter (garbage must be estimated, not billed).
 *
 * A part larger than its whole was reported beside it, not inside it, and is added (some compatible servers leave reasoning out of
 * `completion_tokens`). Anthropic's native form reports `input_tokens` without what was read from or written to the cache.
 */
export function readUsage(preset: PresetName, usage: unknown): Quantities | undefined {
  if (!isObject(usage)) return undefined;
  try {
    return 'prompt_tokens' in usage || 'completion_tokens' in usage ? openaiUsage(preset, usage) : nativeUsage(usage);
  } catch (error) {
    if (error instanceof NoCount) return undefined;
    throw error;
  }
}

/**
 * The `usage` object of an answer or of a stream's chunk, wherever the provider puts it: at the top (OpenAI) or in the last choice
 * (Moonshot's streams). Undefined when there is none.
 */
export function findUsage(answer: unknown): unknown {
  if (!isObject(answer)) return undefined;
  if (isObject(answer['usage'])) return answer['usage'];
  const choices = answer['choices'];
  const last: unknown = Array.isArray(choices) ? choices.at(-1) : undefined;
  return isObject(last) && isObject(last['usage']) ? last['usage'] : undefined;
}

class NoCount extends Error {}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function openaiUsage(preset: PresetName, usage: Json): Quantities {
  const prompt = count(usage, 'prompt_tokens');
  const completion = count(usage, 'completion_tokens');
  if (prompt === undefined && completion === undefined) throw new NoCount();
  const input = prompt ?? 0;
  let output = completion ?? 0;
  let cached = 0;
  for (const field of presets[preset].cached) cached ||= count(usage, field) ?? 0;
  let reasoning = count(usage, 'completion_tokens_details.reasoning_tokens') ?? 0;
  if (preset === 'openai-compatible') {
    // Servers that keep thinking out of completion_tokens still count it in the total.
    const hidden = (count(usage, 'total_tokens') ?? 0) - input - output;
    if (hidden > 0) {
      output += hidden;
      reasoning = Math.max(reasoning, hidden);
    }
  }
  const written = count(usage, 'prompt_tokens_details.cache_creation_input_tokens') ?? 0;
  return quantities(input, cached, written, output, reasoning);
}

/** Anthropic's native form, also the field names of OpenAI's Responses (whose `input_tokens` include the cached). */
function nativeUsage(usage: Json): Quantities {
  const own = count(usage, 'input_tokens');
  const output = count(usage, 'output_tokens');
  if (own === undefined && output === undefined) throw new NoCount();
  const read = count(usage, 'cache_read_input_tokens') ?? 0;
  const written = count(usage, 'cache_creation_input_tokens') ?? 0;
  const inside = count(usage, 'input_tokens_details.cached_tokens') ?? 0;
  const reasoning = count(usage, 'output_tokens_details.reasoning_tokens') ?? 0;
  return quantities((own ?? 0) + read + written, read + inside, written, output ?? 0, reasoning);
}

function quantities(input: number, cached: number, written: number, output: number, reasoning: number): Quantities {
  const parts = cached + written;
  return {
    input_tokens: parts > input ? input + parts : input,
    cached_input_tokens: cached,
    ...(written > 0 ? { cache_write_input_tokens: written } : {}),
    output_tokens: reasoning > output ? output + reasoning : output,
    reasoning_tokens: reasoning,
  };
}

/** The counter at a path; undefined when absent or null; throws for anything that is not a plausible count. */
function count(usage: Json, path: string): number | undefined {
  let value: unknown = usage;
  for (const name of path.split('.')) {
    if (value === undefined || value === null) return undefined;
    if (!isObject(value)) throw new NoCount();
    value = value[name];
  }
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > mostTokens) throw new NoCount();
  return value;
}
