import { afterAll, beforeAll, expect, test } from 'vitest';

import { Database } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append, type Event } from '#kernel/log';
import { createLogger } from '#kernel/logger';
import { Relay } from '#kernel/relay';
import { SubscriberRunner } from '#kernel/subscribers';
import { type TestDatabase, testDatabase } from '#test/database';

let t: TestDatabase;
let relay: Relay;
const log = createLogger('silent');
const tenant = newId();

beforeAll(async () => {
  t = await testDatabase();
  relay = new Relay({ connector: t.connector, log });
  relay.start();
});
afterAll(async () => {
  await relay.stop();
  await t.close();
});

const add = (n: number) =>
  t.db.forTenant(tenant, (tx) =>
    append(tx, {
      tenantId: tenant,
      type: 'kernel.test.done',
      actor: { kind: 'system', id: 'test' },
      subject: { kind: 'test', id: newId() },
      data: { n },
    }),
  );

async function until(what: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!what()) {
    if (performance.now() > end) throw new Error('it did not happen within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('an event that cannot be handled holds its reader alone up, with growing pauses that nothing shortens; then all comes in order', async () => {
  const good: unknown[] = [];
  const bad: unknown[] = [];
  let broken = true;
  let tries = 0;
  const runner = new SubscriberRunner({
    db: t.db,
    log,
    subscribers: [
      { name: 'test.good', types: ['kernel.test.done'], handle: async (event) => void good.push(event.data?.['n']) },
      {
        name: 'test.bad',
        types: ['kernel.'],
        handle: async (event) => {
          if (event.data?.['n'] === 2 && broken) {
            tries++;
            throw new Error('poison');
          }
          bad.push(event.data?.['n']);
        },
      },
    ],
  });
  for (const n of [1, 2, 3]) await add(n);
  runner.start();
  try {
    await until(() => good.length === 3 && tries > 0);
    const before = tries;
    for (let i = 0; i < 60; i++) {
      runner.wake();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // 600 ms of wakes: pauses of 200, 400, … leave room for three tries at most.
    expect(tries - before).toBeLessThanOrEqual(3);
    expect(bad).toEqual([1]);
    broken = false;
    await until(() => bad.length === 3);
    expect([good, bad]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  } finally {
    await runner.stop();
  }
}, 60_000);

test('more readers than connections: their handlers, which need one each, do not starve one another', async () => {
  const db = new Database({ connector: t.connector, poolSize: 4 });
  const handled = new Set<string>();
  const runner = new SubscriberRunner({
    db,
    log,
    subscribers: Array.from({ length: 8 }, (_, i) => ({
      name: `test.many-${i}`,
      types: ['kernel.test.done'],
      handle: async (event) => {
        // Long enough for all that may work to have begun.
        await new Promise((resolve) => setTimeout(resolve, 30));
        await db.forTenant(event.tenantId, (tx) => tx.query('SELECT 1'));
        handled.add(`${i} ${event.data?.['n']}`);
      },
    })),
  });
  await add(4);
  runner.start();
  try {
    await until(() => [0, 1, 2, 3, 4, 5, 6, 7].every((i) => handled.has(`${i} 4`)));
  } finally {
    await runner.stop();
    await db.close();
  }
}, 60_000);

test('news wakes the readers of its types alone, also one that is at work', async () => {
  const looks: string[] = [];
  const seen: unknown[] = [];
  const gate = Promise.withResolvers<void>();
  const reader = (name: string, types: string[]) =>
    new SubscriberRunner({
      db: {
        forService: (service, work) => {
          looks.push(name);
          return t.db.forService(service, work);
        },
      },
      log,
      subscribers: [
        {
          name,
          types,
          handle: async (event) => {
            seen.push(event.data?.['n']);
            await gate.promise;
          },
        },
      ],
    });
  const runners = [reader('test.busy', ['kernel.test.done']), reader('test.deaf', ['kernel.other.'])];
  for (const runner of runners) runner.start();
  try {
    await until(() => seen.length > 0 && looks.includes('test.deaf'));
    const before = looks.filter((name) => name === 'test.busy').length;
    const news = { type: 'kernel.test.done' } as Event;
    for (const runner of runners) runner.wake([news]);
    gate.resolve();
    await until(() => looks.filter((name) => name === 'test.busy').length > before);
    expect(looks.filter((name) => name === 'test.deaf')).toHaveLength(1);
  } finally {
    for (const runner of runners) await runner.stop();
  }
}, 60_000);
