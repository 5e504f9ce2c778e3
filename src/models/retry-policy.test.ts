import { expect, test } from 'vitest';

import { longestWaitMs, mayFallBack, readRetryAfter, retryDelayMs, safeToRetry, tripsCircuit } from './retry-policy.ts';

function coded(code: string): Error {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
}

const now = Date.parse('2026-11-22T10:00:00Z');

test.each([
  ['refused connection', { error: coded('ECONNREFUSED') }, true, true, true],
  ['unknown name', { error: coded('ENOTFOUND') }, true, true, true],
  ['connect timeout', { error: coded('UND_ERR_CONNECT_TIMEOUT') }, true, true, true],
  ['broken line', { error: coded('UND_ERR_SOCKET') }, true, true, true],
  ['no headers in time: it may still be at work', { error: coded('UND_ERR_HEADERS_TIMEOUT') }, false, true, true],
  ['abort by a time limit', { error: new DOMException('', 'TimeoutError') }, false, true, true],
  ['an error of ours', { error: new RangeError('x') }, false, true, false],
  ['429', { status: 429 }, true, true, false],
  ['500', { status: 500 }, true, true, true],
  ['503', { status: 503 }, true, true, true],
  ['529 (overloaded)', { status: 529 }, true, true, true],
  ['400', { status: 400 }, false, false, false],
  ['413', { status: 413 }, false, false, false],
  ['422', { status: 422 }, false, false, false],
  ['401: our key', { status: 401 }, false, true, false],
  ['402: our account', { status: 402 }, false, true, false],
  ['404: their model', { status: 404 }, false, true, false],
])('%s', (_what, failure, retry, fallback, trips) => {
  expect(safeToRetry(failure, 0)).toBe(retry);
  expect(mayFallBack(failure, 0)).toBe(fallback);
  expect(tripsCircuit(failure)).toBe(trips);
  // Once the client has a byte of an answer, no other answer may follow it.
  expect(safeToRetry(failure, 1)).toBe(false);
  expect(mayFallBack(failure, 1)).toBe(false);
});

test('Retry-After is read as seconds and as a date', () => {
  expect(readRetryAfter('2', now)).toBe(2_000);
  expect(readRetryAfter('0.5', now)).toBe(500);
  expect(readRetryAfter('Sun, 22 Nov 2026 10:00:03 GMT', now)).toBe(3_000);
  expect(readRetryAfter('Sun, 22 Nov 2026 09:00:00 GMT', now)).toBe(0);
  expect(readRetryAfter('soon', now)).toBeUndefined();
  expect(readRetryAfter(null, now)).toBeUndefined();
});

test('waits grow, honour Retry-After, and end with the tries or a provider that asks for too much', () => {
  const most = () => 0.999;
  expect(retryDelayMs({ status: 500 }, 2, now, most)).toBeCloseTo(200, 0);
  expect(retryDelayMs({ status: 500 }, 3, now, most)).toBeCloseTo(400, 0);
  expect(retryDelayMs({ status: 500 }, 4, now, most)).toBeUndefined();
  expect(retryDelayMs({ status: 429, retryAfter: '1' }, 2, now, most)).toBe(1_000);
  expect(retryDelayMs({ status: 429, retryAfter: String(longestWaitMs / 1000 + 1) }, 2, now, most)).toBeUndefined();
});
