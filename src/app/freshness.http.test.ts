import { expect, test, vi } from 'vitest';

import { createConnector } from '#kernel/database-connector';
import { startTestApp } from '#test/app';
import { testDatabase } from '#test/database';
import { postgresProxy } from '#test/tcp-proxy';

test('a strict tenant is refused at once when the node loses the database, a patient one goes on', async () => {
  const database = await testDatabase();
  const { proxy, url } = await postgresProxy(database.url);
  const house = await startTestApp({
    database,
    connector: createConnector(url, 'lintel-test'),
    env: { LINTEL_STALE_GRACE_SECONDS: '60' },
  });
  try {
    const path = '/v1/platform/tenants';
    const make = async (name: string, staleGraceSeconds: number | null) => {
      const tenant = await house.tenant(name);
      const set = await house.call(house.operatorKey, 'PATCH', `${path}/${tenant.id}`, { staleGraceSeconds });
      expect([set.status, set.body]).toMatchObject([200, { staleGraceSeconds }]);
      return tenant;
    };
    const strict = await make('Strict', 0);
    const patient = await make('Patient', 3600);
    const usual = await make('Usual', null);
    const status = async ({ key }: { key: string }) => (await house.call(key, 'GET', '/v1/models')).status;
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
    await house.close();
    await proxy.close();
    await database.close();
  }
});
