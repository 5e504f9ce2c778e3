import { expect, test } from 'vitest';

import { estimateTokens, TokenDensity } from './estimate-tokens.ts';

test('tokens are estimated upwards', () => {
  expect(estimateTokens(0, 4)).toBe(0);
  expect(estimateTokens(1, 4)).toBe(1);
  expect(estimateTokens(400, 4)).toBe(100);
  expect(estimateTokens(401, 4)).toBe(101);
});

test('the average moves slowly towards what is observed, and not at all for short or absurd texts', () => {
  const density = new TokenDensity();
  density.observe('m', 4, 30, 10);
  density.observe('m', 4, 100_000, 100);
  density.observe('m', 4, 100, 100_000);
  density.observe('m', 4, 100, 0);
  expect(density.of('m')).toBeUndefined();
  density.observe('m', 4, 300, 100);
  expect(density.of('m')).toBeCloseTo(3.98, 10);
  for (let i = 0; i < 500; i++) density.observe('m', 4, 300, 100);
  expect(density.of('m')).toBeCloseTo(3, 2);
});

test('only averages that moved are to be written back, once', () => {
  const density = new TokenDensity();
  for (let i = 0; i < 3; i++) density.observe('m', 4, 300, 100);
  expect(density.takeMoved()).toEqual([]);
  for (let i = 0; i < 100; i++) density.observe('m', 4, 300, 100);
  expect(density.takeMoved()).toEqual([{ modelId: 'm', value: density.of('m') }]);
  expect(density.takeMoved()).toEqual([]);
});
