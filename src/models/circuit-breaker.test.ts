import { beforeEach, expect, test } from 'vitest';

import { TestClock } from '#kernel/clock';

import { CircuitBreaker, CircuitBreakers, type Pass } from './circuit-breaker.ts';

let clock: TestClock;
let breaker: CircuitBreaker;

beforeEach(() => {
  clock = new TestClock('2026-11-22T10:00:00Z', process.env['NODE_ENV']);
  breaker = new CircuitBreaker(clock, {
    consecutive: 3,
    ratio: 0.5,
    minimum: 10,
    windowMs: 10_000,
    openMs: 1_000,
    longestOpenMs: 3_000,
  });
});

function fail(times = 1): void {
  for (let i = 0; i < times; i++) (breaker.enter() as Pass).fail();
}

test('failures in a row open it; a success between starts the count anew', () => {
  fail(2);
  breaker.enter()?.succeed();
  fail(2);
  expect(breaker.state).toBe('closed');
  fail();
  expect(breaker.state).toBe('open');
  expect(breaker.enter()).toBeUndefined();
  expect(breaker.opensInMs).toBe(1_000);
});

test('a share of failures over the window opens it, and old ones are forgotten', () => {
  const mixed = () => {
    fail();
    breaker.enter()?.succeed();
  };
  for (let i = 0; i < 4; i++) mixed();
  clock.advance({ seconds: 11 });
  for (let i = 0; i < 4; i++) mixed();
  expect(breaker.state).toBe('closed');
  breaker.enter()?.succeed();
  fail();
  expect(breaker.state).toBe('open');
});

test('after the pause one probe decides; others are refused meanwhile', () => {
  fail(3);
  clock.advance({ milliseconds: 1_000 });
  expect(breaker.state).toBe('half-open');
  const probe = breaker.enter();
  expect(breaker.enter()).toBeUndefined();
  probe?.succeed();
  expect(breaker.state).toBe('closed');
  fail(2);
  expect(breaker.state).toBe('closed');
});

test('a failed probe doubles the pause, up to the longest; a good one resets it', () => {
  fail(3);
  for (const pause of [1_000, 2_000, 3_000, 3_000]) {
    expect(breaker.opensInMs).toBe(pause);
    clock.advance({ milliseconds: pause });
    breaker.enter()?.fail();
  }
  clock.advance({ milliseconds: 3_000 });
  breaker.enter()?.succeed();
  fail(3);
  expect(breaker.opensInMs).toBe(1_000);
});

test('an abandoned probe lets the next one through', () => {
  fail(3);
  clock.advance({ milliseconds: 1_000 });
  breaker.enter()?.abandon();
  expect(breaker.state).toBe('half-open');
  expect(breaker.enter()).toBeDefined();
});

test('a result from before the circuit opened says nothing, and each pass counts once', () => {
  const early = [breaker.enter(), breaker.enter()];
  fail(3);
  clock.advance({ milliseconds: 1_000 });
  early[0]?.fail();
  expect(breaker.state).toBe('half-open');
  early[1]?.succeed();
  expect(breaker.state).toBe('half-open');
  const probe = breaker.enter();
  probe?.succeed();
  probe?.fail();
  expect(breaker.state).toBe('closed');
});

test('targets come in order, without those whose circuit is open; another owner’s key is another circuit', () => {
  const breakers = new CircuitBreakers(clock, { consecutive: 1 });
  type Node = { id: string; ownerTenantId: string; fallbacks: Node[] };
  const node = (id: string, ownerTenantId = 'p', fallbacks: Node[] = []): Node => ({ id, ownerTenantId, fallbacks });
  const [second, third] = [node('b/2'), node('c/3')];
  const first = node('a/1', 'p', [second, third]);
  expect(breakers.targets(first)).toEqual([first, second, third]);
  breakers.of(second).enter()?.fail();
  expect(breakers.targets(first)).toEqual([first, third]);
  breakers.of(first).enter()?.fail();
  breakers.of(third).enter()?.fail();
  expect(breakers.targets(first)).toEqual([]);
  expect(breakers.targets(node('a/1', 'q'))).toHaveLength(1);
});
