import { describe, expect, test } from 'vitest';

import { atMost, type BoundTarget, boundCall, mostOutput } from './bound-call.ts';

type Double = BoundTarget & {
  fallbacks: readonly Double[];
  perToken: number | null;
  reasoning?: number;
  written?: number;
};

const double = (id: string, more: Partial<Double> = {}): Double => ({
  id,
  contextTokens: null,
  maxImageTokens: null,
  maxAudioTokens: null,
  outputCap: { coversReasoning: true },
  fallbacks: [],
  perToken: 1,
  ...more,
});
const none = { image: 0, audio: 0, file: 0 };
const size = { inputTokens: 10, media: none, output: (each: Double) => mostOutput(each, 100) };
const all = { tokens: true, money: true };

const priceOf = (
  { perToken, reasoning = perToken ?? 0, written = perToken ?? 0 }: Double,
  used: Record<string, number>,
) => {
  if (perToken === null) return null;
  const [thought, cached] = [used['reasoning_tokens'] ?? 0, used['cache_write_input_tokens'] ?? 0];
  const rest = (used['input_tokens'] ?? 0) + (used['output_tokens'] ?? 0) - thought - cached;
  return { amount: String(rest * perToken + thought * reasoning + cached * written), currency: 'USD' };
};

describe('fallbacks', () => {
  test('the most of the target and every fallback is what a call may use', () => {
    const wide = double('p/wide', { outputCap: { coversReasoning: false }, contextTokens: 5_000 });
    const dear = double('p/dear', { perToken: 7 });
    const call = boundCall(double('p/a', { fallbacks: [wide, dear] }), all, size, priceOf);
    expect(call.bound).toEqual({ requests: 1, input_tokens: 10, output_tokens: 5_000 });
    expect(call.price).toEqual({ amount: '5010', currency: 'USD' });
    expect(call.boundAt('p/dear')).toEqual({ requests: 1, input_tokens: 10, output_tokens: 100 });
    const dearer = boundCall(double('p/a', { fallbacks: [double('p/dearer', { perToken: 70 })] }), all, size, priceOf);
    expect(dearer.price?.amount).toBe('7700');
  });

  test('under a money limit those without a price are left out, else they may answer', () => {
    const target = double('p/a', { fallbacks: [double('p/free', { perToken: null }), double('p/b')] });
    const call = boundCall(target, all, size, priceOf);
    expect(call.target.fallbacks.map(({ id }) => id)).toEqual(['p/b']);
    expect(call.leftOut).toEqual([{ model: 'p/free', reason: 'model-unpriced' }]);
    const free = boundCall(target, { tokens: true, money: false }, size, priceOf);
    expect(free.target).toBe(target);
    expect(free.leftOut).toEqual([]);
  });

  test('under any limit those at which a part has no known bound are left out', () => {
    const target = double('p/a', { maxImageTokens: 50, fallbacks: [double('p/b', { maxAudioTokens: 9 })] });
    const pictures = { ...size, media: { ...none, image: 2 } };
    const call = boundCall(target, { tokens: true, money: false }, pictures, priceOf);
    expect(call.leftOut).toEqual([{ model: 'p/b', reason: 'media-unbounded' }]);
    expect(call.bound.input_tokens).toBe(110);
    expect(boundCall(target, { tokens: false, money: false }, pictures, priceOf).leftOut).toEqual([]);
  });
});

describe('the target itself', () => {
  test('is refused without a price under a money limit', () => {
    const target = double('p/a', { perToken: null, fallbacks: [double('p/b')] });
    expect(() => boundCall(target, all, size, priceOf)).toThrow(/"p\/a" has no price/);
    expect(boundCall(target, { tokens: true, money: false }, size, priceOf).price?.amount).toBe('110');
  });

  test.each([
    ['image', { maxAudioTokens: 9 }, true],
    ['image', { maxImageTokens: 9 }, false],
    ['audio', { maxImageTokens: 9 }, true],
    ['audio', { maxAudioTokens: 9 }, false],
    ['file', { maxImageTokens: 9, maxAudioTokens: 9 }, true],
  ] as const)('%s parts with %j are refused under a limit: %s', (kind, known, refused) => {
    const call = () => boundCall(double('p/a', known), all, { ...size, media: { ...none, [kind]: 1 } }, priceOf);
    if (refused) expect(call).toThrow(/is not known/);
    else expect(call().bound.input_tokens).toBe(19);
  });
});

describe('what a call may cost and use', () => {
  test('each dearer part counts, whatever the other one costs', () => {
    const most = (more: Partial<Double>) => boundCall(double('p/a', more), all, size, priceOf).price?.amount;
    expect(most({})).toBe('110');
    expect(most({ reasoning: 3 })).toBe('310');
    expect(most({ written: 3 })).toBe('130');
    expect(most({ reasoning: 3, written: 0 })).toBe('310');
    expect(most({ reasoning: 0, written: 3 })).toBe('130');
    expect(most({ reasoning: 3, written: 3 })).toBe('330');
  });

  test('reasoning beside the cap is bounded by the context, else by the largest known', () => {
    const beside = { outputCap: { coversReasoning: false } };
    expect(mostOutput(double('a', { contextTokens: 900 }), 100)).toBe(100);
    expect(mostOutput(double('a', { ...beside, contextTokens: 900 }), 100)).toBe(900);
    expect(mostOutput(double('a', { ...beside, contextTokens: 50 }), 100)).toBe(100);
    expect(mostOutput(double('a', beside), 100)).toBe(65_636);
  });

  test('an embedding writes nothing', () => {
    const { bound } = boundCall(double('p/a'), all, { inputTokens: 5, media: none }, priceOf);
    expect(bound).toEqual({ requests: 1, input_tokens: 5 });
    expect(atMost({ input_tokens: 9, output_tokens: 9 }, bound)).toEqual({ input_tokens: 5, output_tokens: 0 });
  });
});
