import { expect, test } from 'vitest';

import { TestClock } from '#kernel/clock';
import { formatId } from '#kernel/ids';

import type { Limit } from './limits.ts';
import { RequestRates } from './request-rates.ts';

const ids = (name: string) => `00000000-0000-7000-8000-${Buffer.from(name).toString('hex').padStart(12, '0')}`;
const limit = (amount: number, more: Partial<Limit> = {}): Limit => ({
  id: ids('a'),
  tenantId: 't',
  scope: 'tenant',
  scopeId: null,
  resource: 'requests',
  window: 'second',
  amount,
  burst: null,
  ...more,
});

function passed(rates: RequestRates, limits: Limit[], tries: number): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (rates.take(limits)?.allowed) count++;
  return count;
}

test('a bucket holds the burst and fills at the rate', () => {
  const clock = new TestClock('2026-11-22T10:00:00Z', 'test');
  const rates = new RequestRates({ clock });
  const own = limit(10, { burst: 30 });
  expect(passed(rates, [own], 100)).toBe(30);
  const refused = rates.take([own]);
  expect(refused).toMatchObject({ allowed: false, limit: 10, remaining: 0, resetSeconds: 0.1 });
  expect(refused?.problem?.details).toEqual({
    detail: "The tenant's limit of 10 requests per second is reached; try again in 1 s.",
    headers: { 'retry-after': '1', ratelimit: '"default";r=0;t=1', 'ratelimit-policy': '"default";q=10;w=1' },
    extra: {
      limit: formatId('limit', own.id),
      scope: 'tenant',
      resource: 'requests',
      window: 'second',
      remaining: '0',
      resetsAt: '2026-11-22T10:00:00.1Z',
    },
  });
  clock.advance({ milliseconds: 500 });
  expect(passed(rates, [own], 100)).toBe(5);
  expect(passed(rates, [limit(0, { id: ids('none') })], 5)).toBe(0);
  expect(rates.take([limit(5, { resource: 'tokens' })])).toBeUndefined();
});

test('several limits are taken all or none, and the tightest answers', () => {
  const clock = new TestClock('2026-11-22T10:00:00Z', 'test');
  const rates = new RequestRates({ clock });
  const [wide, tight] = [limit(100), limit(2, { id: ids('b'), scope: 'key', scopeId: 'k' })];
  expect(passed(rates, [wide, tight], 10)).toBe(2);
  expect(rates.take([wide, tight])).toMatchObject({
    problem: { details: { extra: { limit: formatId('limit', tight.id) } } },
  });
  expect(passed(rates, [wide], 200)).toBe(98);
});

test('a node holds its part of the common bucket, and what nodes let through too much is made up for', () => {
  const clock = new TestClock('2026-11-22T10:00:00Z', 'test');
  const rates = new RequestRates({ clock });
  rates.nodes = 2;
  const own = limit(100);
  expect(passed(rates, [own], 300)).toBe(50);
  clock.advance({ seconds: 1 });
  const reports = rates.report();
  expect(reports).toEqual([{ tenantId: 't', limitId: own.id, rate: 100, burst: 100, demand: 300, consumed: 50 }]);
  rates.apply(reports, [{ limitId: own.id, level: -40, demand: 100 }]);
  // Three quarters of the demand: 30 missing, 75 a second.
  clock.advance({ milliseconds: 400 });
  expect(passed(rates, [own], 10)).toBe(0);
  clock.advance({ milliseconds: 600 });
  expect(passed(rates, [own], 100)).toBe(45);
});

test('what nobody asks for is forgotten', () => {
  const clock = new TestClock('2026-11-22T10:00:00Z', 'test');
  const rates = new RequestRates({ clock });
  for (let i = 0; i < 50; i++) rates.take([limit(10, { id: `l${i}` })]);
  expect(rates.report()).toHaveLength(50);
  for (let i = 0; i < 5; i++) rates.report();
  expect(rates.report()).toHaveLength(0);
});
