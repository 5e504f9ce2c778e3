import { afterAll, beforeAll, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import { type TestDatabase, testDatabase } from '#test/database';
import { call, type IdentityNode, identityNode } from '#test/identity';

import { purgeEnded } from './link-store.ts';

let t: TestDatabase;
let node: IdentityNode;
const clock = new TestClock('2026-11-22T12:00:00Z', process.env['NODE_ENV']);
const cause = systemCause('test');

beforeAll(async () => {
  t = await testDatabase();
  node = await identityNode(t, { clock });
});
afterAll(async () => {
  await node.close();
  await t.close();
});

test('what ended long ago is purged with its way in the directory; keys and what is open stay', async () => {
  const tenant = await node.tenancy.manager.createTenant({ name: 'Acme' }, cause);
  await node.auth.keys.createKey(tenant.id, { name: 'k' }, cause);
  const fill = async (email: string) => {
    const user = await node.auth.members.createUser(tenant.id, { email, name: 'U', roles: ['viewer'] }, cause);
    const { token } = await node.auth.signIn.issueLoginLink(tenant.id, user.id, 15, cause);
    await call(node.app, 'POST', '/v1/auth/link', {}, { token });
    await node.auth.invitations.invite(tenant.id, { email: `x-${email}`, roles: ['viewer'] }, cause);
  };
  const purge = () => {
    const now = clock.now();
    return t.db.forPlatform((tx) => purgeEnded(tx, now.toString(), now.subtract({ hours: 720 }).toString()));
  };
  const ways = async () =>
    (
      await t.db.forService('directory', (tx) =>
        tx.query<{ kind: string }>('SELECT kind FROM directory_credentials WHERE tenant_id = $1 ORDER BY kind', [
          tenant.id,
        ]),
      )
    ).map((row) => row.kind);
  await fill('old@acme.example');
  expect(await purge()).toBe(0);
  clock.advance({ minutes: 20 });
  expect(await purge()).toBe(1);
  expect(await ways()).toEqual(['invitation', 'key', 'session']);
  clock.advance({ hours: 24 * 40 });
  await fill('new@acme.example');
  expect(await purge()).toBe(2);
  expect(await ways()).toEqual(['invitation', 'key', 'login', 'session']);
});
