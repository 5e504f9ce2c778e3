import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { createConnector } from '#kernel/database-connector';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { type TestDatabase, testDatabase } from '#test/database';
import { postgresProxy, type TcpProxy } from '#test/tcp-proxy';

let database: TestDatabase;
let proxy: TcpProxy;
let house: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  const { proxy: made, url } = await postgresProxy(database.url);
  proxy = made;
  house = await startTestApp({
    database,
    connector: createConnector(url, 'lintel-test'),
    env: { LINTEL_STALE_GRACE_SECONDS: '60' },
  });
});
afterAll(async () => {
  proxy.restore();
  await house.close();
  await proxy.close();
  await database.close();
});

const path = '/v1/platform/tenants';
const make = async (name: string, staleGraceSeconds: number | null) => {
  const tenant = await house.tenant(name);
  const set = await house.call(house.operatorKey, 'PATCH', `${path}/${tenant.id}`, { staleGraceSeconds });
  expect([set.status, set.body]).toMatchObject([200, { staleGraceSeconds }]);
  return tenant;
};
const graceOf = async ({ id }: TestTenant) =>
  (await house.call(house.operatorKey, 'GET', `${path}/${id}`)).body['staleGraceSeconds'];
const status = async ({ key }: { key: string }) => (await house.call(key, 'GET', '/v1/models')).status;

describe('happy', () => {
  test('how long a tenant is served without the database is set, shown, and given back to the house', async () => {
    const tenant = await make('Set', 30);
    expect(await graceOf(tenant)).toBe(30);
    await house.call(house.operatorKey, 'PATCH', `${path}/${tenant.id}`, { staleGraceSeconds: null });
    expect(await graceOf(tenant)).toBeNull();
  });
});

describe('errors', () => {
  test('a strict tenant is refused at once when the node loses the database, a patient one goes on', async () => {
    try {
      const strict = await make('Strict', 0);
      const patient = await make('Patient', 3600);
      const usual = await make('Usual', null);
      for (const tenant of [strict, patient, usual]) expect(await status(tenant)).toBe(200);
      proxy.cut();
      await vi.waitFor(async () => expect(await status(strict)).toBe(503), 10_000);
      expect([await status(patient), await status(usual)]).toEqual([200, 200]);
      const refused = await house.call(strict.key, 'GET', '/v1/models');
      expect(refused.headers.get('retry-after')).toBe('2');
      proxy.restore();
      await vi.waitFor(async () => expect(await status(strict)).toBe(200), 10_000);
    } finally {
      proxy.restore();
    }
  });
});

describe('security', () => {
  test('no owner makes its own tenant more patient', async () => {
    const tenant = await make('Owned', 0);
    const tried = await house.call(tenant.key, 'PATCH', `${path}/${tenant.id}`, { staleGraceSeconds: 3600 });
    expect(tried.status).toBe(403);
    expect(await graceOf(tenant)).toBe(0);
  });

  test('patience lets in no forged key and none that was revoked', async () => {
    try {
      const strict = await make('Witness', 0);
      const { key } = await make('Forged', 3600);
      const made = await house.call(key, 'POST', '/v1/api-keys', { name: 'short-lived', role: 'developer' });
      const revoked = String(made.body['key']);
      expect([await status({ key }), await status({ key: revoked })]).toEqual([200, 200]);
      const gone = await house.call(key, 'DELETE', `/v1/api-keys/${made.body['id']}`);
      expect(gone.status, gone.text).toBeLessThan(300);
      proxy.cut();
      await vi.waitFor(async () => expect(await status(strict)).toBe(503), 10_000);
      const keys = [key, `${key.slice(0, -1)}_`, revoked];
      expect(await Promise.all(keys.map((each) => status({ key: each })))).toEqual([200, 401, 401]);
    } finally {
      proxy.restore();
    }
  });
});
