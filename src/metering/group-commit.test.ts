import { expect, test } from 'vitest';

import { GroupCommit } from './group-commit.ts';

test('one batch at a time, in order, at most so many; the next gathers meanwhile', async () => {
  const batches: number[][] = [];
  let running = 0;
  let most = 0;
  const group = new GroupCommit<number>({
    windowMs: 1,
    maxItems: 10,
    commit: async (batch) => {
      most = Math.max(most, ++running);
      batches.push(batch.map(({ item }) => item));
      await new Promise((resolve) => setTimeout(resolve, 2));
      running--;
      for (const { resolve } of batch) resolve();
    },
  });
  await Promise.all(Array.from({ length: 35 }, (_, i) => group.add(i)));
  expect(batches.map((batch) => batch.length)).toEqual([10, 10, 10, 5]);
  expect(batches.flat()).toEqual(Array.from({ length: 35 }, (_, i) => i));
  expect(most).toBe(1);
  void group.add(35);
  await group.drain();
  expect(batches.at(-1)).toEqual([35]);
  expect(group.waiting).toBe(0);
});

test('a failed commit rejects what it left open, and the next batch goes on', async () => {
  let first = true;
  const group = new GroupCommit<number>({
    windowMs: 1,
    maxItems: 2,
    commit: async (batch) => {
      batch[0]?.resolve();
      if (first) {
        first = false;
        throw new Error('broken');
      }
      batch[1]?.resolve();
    },
  });
  const results = await Promise.allSettled([1, 2, 3, 4].map((n) => group.add(n)));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
});
