import { afterAll, beforeAll, expect, test } from 'vitest';

import { Database } from '#kernel/database';
import { createConnector } from '#kernel/database-connector';
import { LogFollower } from '#kernel/follower';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { createLogger } from '#kernel/logger';
import { Relay } from '#kernel/relay';
import { type TestDatabase, testDatabase } from '#test/database';
import { postgresProxy, type TcpProxy } from '#test/tcp-proxy';

let t: TestDatabase;
let relay: Relay;
let proxy: TcpProxy;
let db: Database;
let follower: LogFollower;
const log = createLogger('silent');

beforeAll(async () => {
  t = await testDatabase();
  relay = new Relay({ connector: t.connector, log });
  relay.start();
  const through = await postgresProxy(t.url);
  proxy = through.proxy;
  const connector = createConnector(through.url, 'follower-test');
  db = new Database({ connector, poolSize: 4 });
  follower = new LogFollower({ doors: db, connector, log });
  await follower.start();
});

afterAll(async () => {
  proxy.restore();
  await Promise.all([follower.stop(), relay.stop()]);
  await db.close();
  await proxy.close();
  await t.close();
});

/** Watches the freshness until it is `wanted`; the states seen on the way. */
async function seenUntil(wanted: string): Promise<Set<string>> {
  const seen = new Set<string>();
  const end = performance.now() + 20_000;
  while (performance.now() < end) {
    const { state } = follower.freshness();
    seen.add(state);
    if (state === wanted) return seen;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not ${wanted} within 20 s, but ${[...seen].join(', ')}`);
}

test('a database that hangs is away, never stale; connections that stay dead do not hold the return up', async () => {
  proxy.hang();
  expect(await seenUntil('away')).not.toContain('stale');
  const { awayMs } = follower.freshness();
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  expect(follower.freshness().state).toBe('away');
  expect(follower.freshness().awayMs).toBeGreaterThan(awayMs);
  proxy.passNew();
  expect(await seenUntil('fresh')).not.toContain('stale');
}, 60_000);

test('an event that a listener cannot apply makes the node stale, as the database answers; others hear it once per try', async () => {
  let broken = true;
  let tries = 0;
  const silence = follower.listen(() => {
    tries++;
    if (broken) throw new Error('cannot apply');
  });
  const tenant = newId();
  const before = follower.seq;
  await t.db.forTenant(tenant, (tx) =>
    append(tx, {
      tenantId: tenant,
      type: 'kernel.test.done',
      actor: { kind: 'system', id: 'test' },
      subject: { kind: 'test', id: newId() },
    }),
  );
  expect(await seenUntil('stale')).not.toContain('away');
  expect(follower.seq).toBe(before);
  expect(tries).toBeGreaterThan(1);
  broken = false;
  await seenUntil('fresh');
  expect(follower.seq).toBe(before + 1);
  silence();
  silence();
}, 60_000);
