import { expect, test } from 'vitest';

import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import type { Event } from '#kernel/log';
import { Snapshots } from '#kernel/snapshot';

const doors: Pick<Doors, 'forService'> = { forService: (_service, work) => work({} as Tx) };

const event = (type: string): Event => ({
  id: newId(),
  version: 1,
  occurredAt: '2026-11-22T12:00:00Z',
  tenantId: newId(),
  type,
  actor: { kind: 'system', id: 'test' },
  subject: { kind: 'thing', id: 'a' },
});

test('what one event changes is seen in all snapshots at once, or in none', async () => {
  const snapshots = new Snapshots(doors);
  let stored = 1;
  const wait = Promise.withResolvers<void>();
  let fails = false;
  const keys = snapshots.define<number>({ name: 'keys', on: ['t.'], load: async () => [['a', stored]] });
  const plans = snapshots.define<number>({
    name: 'plans',
    on: ['t.'],
    load: async (_tx, only) => {
      if (only !== undefined) await wait.promise;
      if (fails) throw new Error('away');
      return [['a', stored]];
    },
  });
  await snapshots.loadAll();
  const seen = () => [keys.get('a'), plans.get('a')];
  expect(seen()).toEqual([1, 1]);
  stored = 2;
  const applied = snapshots.apply([event('t.thing.changed')]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen()).toEqual([1, 1]);
  wait.resolve();
  await applied;
  expect(seen()).toEqual([2, 2]);
  [stored, fails] = [3, true];
  await expect(snapshots.apply([event('t.thing.changed')])).rejects.toThrow('away');
  expect(seen()).toEqual([2, 2]);
  fails = false;
  await snapshots.apply([event('t.thing.changed')]);
  expect(seen()).toEqual([3, 3]);
  expect([keys.version, plans.version]).toEqual([3, 3]);
});
