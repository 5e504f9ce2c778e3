import { afterAll, beforeAll, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import { createLogger } from '#kernel/logger';
import { Snapshots } from '#kernel/snapshot';
import { type TestDatabase, testDatabase } from '#test/database';
import { type IdentityNode, identityNode } from '#test/identity';

import { LastUses } from './last-uses.ts';
import { SessionManager } from './session-manager.ts';
import { Tokens } from './tokens.ts';

let t: TestDatabase;
let node: IdentityNode;
const clock = new TestClock('2026-11-22T12:00:00Z', process.env['NODE_ENV']);
const config = { LINTEL_SESSION_IDLE_MINUTES: 60, LINTEL_SESSION_HOURS: 24 };

beforeAll(async () => {
  t = await testDatabase();
  node = await identityNode(t, { clock });
});
afterAll(async () => {
  await node.close();
  await t.close();
});

test('sessions that ended by their time alone are held no longer than they are of use', async () => {
  const tenant = await node.tenancy.manager.createTenant({ name: 'Acme' }, systemCause('test'));
  const person = { email: 'ada@acme.example', name: 'Ada', roles: ['viewer'] };
  const user = await node.auth.members.createUser(tenant.id, person, systemCause('test'));
  const snapshots = new Snapshots(t.db);
  const sessions = new SessionManager({
    db: t.db,
    snapshots,
    clock,
    config,
    tokens: new Tokens(node.sealer),
    uses: new LastUses({ clock, log: createLogger('silent'), write: () => Promise.resolve() }),
    rbac: node.rbac.manager,
  });
  const begin = () =>
    t.db.forTenant(tenant.id, (tx) => sessions.start(tx, user, 'password', { ip: '127.0.0.1', client: '' }, 'req_1'));
  const old = await begin();
  await snapshots.loadAll();
  const { sessionId: first } = (await sessions.principalOf(old)) ?? {};
  clock.advance({ hours: 23 });
  const young = await begin();
  const { sessionId: second } = (await sessions.principalOf(young)) ?? {};
  expect(await sessions.forgetOver()).toBe(0);
  clock.advance({ hours: 1 });
  expect(await sessions.forgetOver()).toBe(1);
  expect([sessions.get(String(first)), sessions.get(String(second))?.id]).toEqual([undefined, second]);
  expect([await sessions.principalOf(old), await sessions.forgetOver()]).toEqual([undefined, 0]);
});
