import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemCause } from '#kernel/cause';
import { Database } from '#kernel/database';
import { createConnector } from '#kernel/database-connector';
import { type TestDatabase, testDatabase } from '#test/database';
import { call, cookieOf, type IdentityNode, identityNode } from '#test/identity';

import { inProcessHasher } from './password-hasher.ts';

let t: TestDatabase;
let second: Database;
let here: IdentityNode;
let there: IdentityNode;
const cause = systemCause('test');
const password = 'correct horse battery';

beforeAll(async () => {
  t = await testDatabase();
  // A node of its own: its own pool, snapshots and follower; nothing but PostgreSQL between the two.
  const connector = createConnector(t.url, 'lintel-test-2');
  second = new Database({ connector, poolSize: 4 });
  [here, there] = [
    await identityNode(t, { follow: true }),
    await identityNode({ ...t, db: second, connector }, { follow: true }),
  ];
});
afterAll(async () => {
  await Promise.all([here.close(), there.close()]);
  await second.close();
  await t.close();
});

const ask = async (app: FastifyInstance, as: { key?: string; cookie?: string }) =>
  (await call(app, 'GET', '/v1/auth/session', as)).statusCode;

/** Milliseconds until a node answers with this status; the house promises a second (p99). */
async function until(app: FastifyInstance, as: { key?: string; cookie?: string }, status: number): Promise<number> {
  const started = performance.now();
  await expect.poll(() => ask(app, as), { timeout: 5_000, interval: 5 }).toBe(status);
  return performance.now() - started;
}

test('what is made on one node works on the other at once, before the log has brought it', async () => {
  const tenant = await here.tenancy.manager.createTenant({ name: 'Fresh' }, cause);
  const { secret } = await here.auth.keys.createKey(tenant.id, { name: 'k' }, cause);
  expect(await ask(there.app, { key: secret })).toBe(200);
  const passwordHash = await inProcessHasher().hash(password);
  const email = 'fresh@acme.example';
  await here.auth.members.createUser(tenant.id, { email, name: 'F', roles: ['admin'], passwordHash }, cause);
  const cookie = cookieOf(await call(here.app, 'POST', '/v1/auth/login', {}, { email, password }));
  expect(await ask(there.app, { cookie })).toBe(200);
});

test('a revocation on one node is seen by the other through the log alone', async () => {
  const tenant = await here.tenancy.manager.createTenant({ name: 'Gone' }, cause);
  const passwordHash = await inProcessHasher().hash(password);
  const email = 'gone@acme.example';
  const giver = { tenantId: tenant.id, roles: ['owner'] };
  const user = await here.auth.members.createUser(
    tenant.id,
    { email, name: 'G', roles: ['admin'], passwordHash },
    cause,
  );
  const waits: Record<string, number> = {};
  for (const [name, revoke, status] of [
    ['key revoked', (id: string) => here.auth.keys.revokeKey(tenant.id, id, cause), 401],
    ['tenant suspended', () => here.tenancy.manager.suspendTenant(tenant.id, undefined, cause), 403],
  ] as const) {
    const { key, secret } = await here.auth.keys.createKey(tenant.id, { name }, cause);
    expect(await ask(there.app, { key: secret })).toBe(200);
    await revoke(key.id);
    expect(await ask(here.app, { key: secret })).toBe(status);
    waits[name] = await until(there.app, { key: secret }, status);
  }
  await here.tenancy.manager.reactivateTenant(tenant.id, cause);
  for (const [name, revoke] of [
    ['signed out', (cookie: string) => call(here.app, 'POST', '/v1/auth/logout', { cookie })],
    ['roles changed', () => here.auth.members.updateMember(tenant.id, user.id, { roles: ['viewer'] }, cause, giver)],
    ['disabled', () => here.auth.members.updateMember(tenant.id, user.id, { status: 'disabled' }, cause, giver)],
  ] as const) {
    const cookie = cookieOf(await call(here.app, 'POST', '/v1/auth/login', {}, { email, password }));
    expect(await until(there.app, { cookie }, 200)).toBeGreaterThanOrEqual(0);
    await revoke(cookie);
    expect(await ask(here.app, { cookie })).toBe(401);
    waits[name] = await until(there.app, { cookie }, 401);
  }
  // No bound is asserted (machines differ); the figures are for who reads the run.
  process.stdout.write(
    `seen on the other node after, ms: ${JSON.stringify(waits, (_, ms) => (typeof ms === 'number' ? Math.round(ms) : ms))}\n`,
  );
});
