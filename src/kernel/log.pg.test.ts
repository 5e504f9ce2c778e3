import { afterAll, beforeAll, expect, test } from 'vitest';

import { LogFollower, type Logged } from '#kernel/follower';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { createLogger } from '#kernel/logger';
import { Relay } from '#kernel/relay';
import { type TestDatabase, testDatabase } from '#test/database';

let t: TestDatabase;
const log = createLogger('silent');

beforeAll(async () => {
  t = await testDatabase();
});
afterAll(() => t.close());

function event(tenantId: string, n: number) {
  return {
    tenantId,
    type: 'kernel.test.done',
    actor: { kind: 'system', id: 'test' } as const,
    subject: { kind: 'test', id: newId() },
    data: { n },
  };
}

async function until(what: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!what()) {
    if (performance.now() > end) throw new Error('it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('committed events reach followers once, densely numbered, also when relays change places', async () => {
  const tenants = [newId(), newId()] as const;
  let relay = new Relay({ connector: t.connector, log });
  relay.start();
  const follower = new LogFollower({ doors: t.db, connector: t.connector, log });
  const seen: Logged[] = [];
  follower.listen((events) => void seen.push(...events));
  await follower.start();
  const rival = new Relay({ connector: t.connector, log });
  rival.start();
  for (let n = 0; n < 60; n++) {
    const tenant = tenants[n % 2] as string;
    const work = t.db.forTenant(tenant, async (tx) => {
      await append(tx, event(tenant, n));
      if (n % 10 === 9) throw new Error('rolled back');
    });
    await work.catch(() => undefined);
    if (n === 30) {
      await relay.stop();
      relay = new Relay({ connector: t.connector, log });
      relay.start();
    }
  }
  await until(() => seen.length >= 54);
  expect(seen.map((each) => each.seq)).toEqual(seen.map((_, i) => i + 1));
  expect(new Set(seen.map((each) => each.data?.['n'])).size).toBe(54);
  expect(seen.some((each) => (each.data?.['n'] as number) % 10 === 9)).toBe(false);
  expect(follower.freshness().state).toBe('fresh');
  await Promise.all([follower.stop(), relay.stop(), rival.stop()]);
});

test('a tenant cannot write an event as another, nor read the outbox', async () => {
  const [mine, other] = [newId(), newId()];
  await expect(t.db.forTenant(mine, (tx) => append(tx, event(other, 1)))).rejects.toThrow(/row-level security/);
  await expect(t.db.forTenant(mine, (tx) => tx.query('SELECT * FROM outbox'))).rejects.toThrow(/permission denied/);
  await expect(t.db.forTenant("x'; DROP TABLE log; --", async () => undefined)).rejects.toThrow('not a UUID');
});
