import { describe, expect, test } from 'vitest';

import { presetNames } from './presets.ts';
import { findUsage, readUsage } from './read-usage.ts';
import type { PresetName, Quantities } from './types.ts';

function used(input: number, cached: number, output: number, reasoning: number, written?: number): Quantities {
  return {
    input_tokens: input,
    cached_input_tokens: cached,
    output_tokens: output,
    reasoning_tokens: reasoning,
    ...(written === undefined ? {} : { cache_write_input_tokens: written }),
  };
}

// The shapes that the providers' documentation shows (sources in presets.ts).
const shapes: [PresetName, string, unknown, Quantities][] = [
  [
    'openai',
    'details inside the totals',
    {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 128, audio_tokens: 0 },
    },
    used(2006, 1920, 300, 128),
  ],
  ['openai', 'no details', { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 }, used(9, 0, 12, 0)],
  ['openai', 'an embedding', { prompt_tokens: 8, total_tokens: 8 }, used(8, 0, 0, 0)],
  [
    'anthropic',
    'the OpenAI-compatible endpoint: empty details',
    { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25, prompt_tokens_details: null },
    used(20, 0, 5, 0),
  ],
  [
    'anthropic',
    'native: cache reads and writes beside input_tokens',
    { input_tokens: 50, cache_read_input_tokens: 100_000, cache_creation_input_tokens: 248, output_tokens: 503 },
    used(100_298, 100_000, 503, 0, 248),
  ],
  [
    'deepseek',
    'hits and misses add up to the prompt',
    {
      prompt_tokens: 1010,
      completion_tokens: 500,
      total_tokens: 1510,
      prompt_cache_hit_tokens: 960,
      prompt_cache_miss_tokens: 50,
      completion_tokens_details: { reasoning_tokens: 400 },
    },
    used(1010, 960, 500, 400),
  ],
  [
    'qwen',
    'explicit cache: created tokens are input too',
    {
      prompt_tokens: 3019,
      completion_tokens: 104,
      total_tokens: 3123,
      prompt_tokens_details: { cached_tokens: 2048, cache_creation_input_tokens: 512 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
    used(3019, 2048, 104, 0, 512),
  ],
  [
    'kimi',
    'cached_tokens beside prompt_tokens',
    { prompt_tokens: 19, completion_tokens: 21, total_tokens: 40, cached_tokens: 10 },
    used(19, 10, 21, 0),
  ],
  [
    'glm',
    'as OpenAI',
    {
      prompt_tokens: 24,
      completion_tokens: 346,
      total_tokens: 370,
      prompt_tokens_details: { cached_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 321 },
    },
    used(24, 4, 346, 321),
  ],
  [
    'doubao',
    'as OpenAI',
    {
      prompt_tokens: 13,
      completion_tokens: 64,
      total_tokens: 77,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 60 },
    },
    used(13, 0, 64, 60),
  ],
  ['ollama', 'no details', { prompt_tokens: 26, completion_tokens: 298, total_tokens: 324 }, used(26, 0, 298, 0)],
  [
    'openai-compatible',
    'reasoning reported beside completion_tokens',
    {
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 135,
      completion_tokens_details: { reasoning_tokens: 94 },
    },
    used(32, 0, 103, 94),
  ],
  [
    'openai-compatible',
    'thinking only in the total',
    { prompt_tokens: 10, completion_tokens: 5, total_tokens: 40 },
    used(10, 0, 30, 25),
  ],
  [
    'openai-compatible',
    'OpenAI Responses',
    {
      input_tokens: 75,
      input_tokens_details: { cached_tokens: 40 },
      output_tokens: 1186,
      output_tokens_details: { reasoning_tokens: 1024 },
      total_tokens: 1261,
    },
    used(75, 40, 1186, 1024),
  ],
];

describe('readUsage', () => {
  test.each(shapes)('%s: %s', (preset, _what, usage, expected) => {
    expect(readUsage(preset, usage)).toEqual(expected);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'prompt_tokens'],
    ['a list', [1, 2]],
    ['an empty object', {}],
    ['a negative count', { prompt_tokens: -1, completion_tokens: 2 }],
    ['a fraction', { prompt_tokens: 1.5, completion_tokens: 2 }],
    ['a text for a count', { prompt_tokens: '12', completion_tokens: 2 }],
    ['a count no call has', { prompt_tokens: 1e15, completion_tokens: 2 }],
    ['not a number', { prompt_tokens: Number.NaN, completion_tokens: 2 }],
    ['a list for the details', { prompt_tokens: 1, completion_tokens: 1, prompt_tokens_details: [3] }],
    ['a negative detail', { prompt_tokens: 9, completion_tokens: 1, prompt_tokens_details: { cached_tokens: -4 } }],
    ['nulls only', { prompt_tokens: null, completion_tokens: null }],
  ])('garbage is undefined: %s', (_what, usage) => {
    expect(readUsage('openai', usage)).toBeUndefined();
  });

  test('holds its invariants for whatever a provider sends', () => {
    const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000_007);
    const random = generator(seed);
    const names = [
      'prompt_tokens',
      'completion_tokens',
      'total_tokens',
      'cached_tokens',
      'prompt_cache_hit_tokens',
      'input_tokens',
      'output_tokens',
      'cache_read_input_tokens',
      'cache_creation_input_tokens',
    ];
    const details = [
      'prompt_tokens_details',
      'completion_tokens_details',
      'input_tokens_details',
      'output_tokens_details',
    ];
    const inner = ['cached_tokens', 'reasoning_tokens', 'cache_creation_input_tokens'];
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const value = (): unknown =>
      random() < 0.9
        ? Math.floor(random() ** 4 * 2_000_000)
        : pick([null, -1, 0.5, '7', {}, [], true, 1e300, undefined]);
    let read = 0;
    for (let i = 0; i < 20_000; i++) {
      const usage: Record<string, unknown> = {};
      for (let n = random() * 6; n > 0; n--) usage[pick(names)] = value();
      for (let n = random() * 3; n > 0; n--)
        usage[pick(details)] = random() < 0.1 ? value() : { [pick(inner)]: value(), [pick(inner)]: value() };
      const result = readUsage(pick(presetNames), usage);
      if (result === undefined) continue;
      read++;
      const {
        input_tokens: input,
        cached_input_tokens: cached,
        output_tokens: output,
        reasoning_tokens: hidden,
      } = result;
      const written = result.cache_write_input_tokens ?? 0;
      const sound =
        [input, cached, output, hidden, written].every((each) => Number.isSafeInteger(each) && each >= 0) &&
        cached + written <= input &&
        hidden <= output;
      if (!sound) expect.fail(`seed ${seed}, case ${i}: ${JSON.stringify(usage)} → ${JSON.stringify(result)}`);
    }
    expect(read, `seed ${seed}`).toBeGreaterThan(5_000);
  });
});

test('usage is found at the top of an answer and in the last choice of a chunk', () => {
  expect(findUsage({ usage: { prompt_tokens: 1 } })).toEqual({ prompt_tokens: 1 });
  expect(findUsage({ choices: [{ delta: {}, finish_reason: 'stop', usage: { prompt_tokens: 2 } }] })).toEqual({
    prompt_tokens: 2,
  });
  expect(findUsage({ choices: [], usage: null })).toBeUndefined();
  expect(findUsage('[DONE]')).toBeUndefined();
});

/** Mulberry32: a small seeded generator, so that a failing case can be run again. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
