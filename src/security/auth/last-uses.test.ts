import { expect, test } from 'vitest';

import { TestClock } from '#kernel/clock';
import { createLogger } from '#kernel/logger';

import { LastUses } from './last-uses.ts';

test('a use that could not be written is written the next time', async () => {
  const clock = new TestClock('2026-11-22T12:00:00Z', process.env['NODE_ENV']);
  const written: { id: string; at: string }[][] = [];
  let away = true;
  const uses = new LastUses({
    clock,
    log: createLogger('silent'),
    write: async (batch) => {
      if (away) throw new Error('away');
      written.push(batch);
    },
  });
  uses.touch('a', clock.now().epochMilliseconds);
  await expect(uses.flush()).rejects.toThrow('away');
  away = false;
  clock.advance({ minutes: 5 });
  await uses.flush();
  await uses.flush();
  expect(written).toEqual([[{ id: 'a', at: '2026-11-22T12:00:00.000Z' }]]);
  expect(uses.lastOf('a')).toBeUndefined();
});
