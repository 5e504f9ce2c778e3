import { expect, test } from 'vitest';

import { seededRandom } from '#test/seeded-random';

import { planCalls } from './demo.ts';

const tenants = ['en', 'zh-CN', 'de'].map((locale) => ({
  locale,
  agent: 'assistant',
  keys: { good: 'g', slow: 's', poor: 'p', viewer: 'v' },
}));

test('the demo never makes more than three calls a second, and some that are refused', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const plan = planCalls(new Set(tenants), seededRandom(seed));
  const calls = Array.from({ length: 20_000 }, () => plan.next().value ?? expect.fail('it ended'));
  // A call starts when the one before has been answered and rested after; no answer takes less than no time.
  let at = 0;
  const starts = calls.map(({ restMs }) => {
    at += restMs;
    return at;
  });
  const spans = starts.slice(3).map((start, index) => start - (starts[index] as number));
  expect(Math.min(...spans), `seed ${seed}`).toBeGreaterThan(1_000);
  expect(at / calls.length, `seed ${seed}`).toBeLessThan(2_200);
  expect(new Set(calls.map(({ key }) => key))).toEqual(new Set(['good', 'slow', 'poor', 'viewer']));
  // Of the slow key's calls every other one comes within the second that allows one.
  const slow = calls.filter(({ key }) => key === 'slow');
  expect(slow.filter(({ restMs }) => restMs === 400).length, `seed ${seed}`).toBeGreaterThanOrEqual(slow.length / 2);
});

test('a tenant that is gone is asked no more, and with the last one the demo ends', () => {
  const [first, second] = tenants;
  const left = new Set([first, second].filter((tenant) => tenant !== undefined));
  const plan = planCalls(left);
  left.delete(first as (typeof tenants)[number]);
  expect(plan.next().value?.tenant).toBe(second);
  left.clear();
  // The second of a pair may still be planned.
  plan.next();
  expect(plan.next().done).toBe(true);
});
