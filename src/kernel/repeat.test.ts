import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { repeat } from '#kernel/repeat';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('one turn at a time, a failed one is told and followed by the next, and the end waits for the one at hand', async () => {
  const turns: PromiseWithResolvers<void>[] = [];
  const failed = vi.fn();
  const stop = repeat(
    100,
    () => {
      const turn = Promise.withResolvers<void>();
      turns.push(turn);
      return turn.promise;
    },
    failed,
  );
  await vi.advanceTimersByTimeAsync(350);
  expect(turns).toHaveLength(1);
  const fault = new Error('away');
  turns[0]?.reject(fault);
  await vi.advanceTimersByTimeAsync(100);
  expect([turns.length, failed.mock.calls]).toEqual([2, [[fault]]]);
  let ended = false;
  const end = stop().then(() => {
    ended = true;
  });
  await vi.advanceTimersByTimeAsync(500);
  expect([turns.length, ended]).toEqual([2, false]);
  turns[1]?.resolve();
  await end;
});
