import { afterAll, beforeAll, expect, test } from 'vitest';

import { tidyKernel } from '#kernel/housekeeping';
import { newId } from '#kernel/ids';
import { type TestDatabase, testDatabase } from '#test/database';

let t: TestDatabase;

beforeAll(async () => {
  t = await testDatabase();
});
afterAll(() => t.close());

test('what the kernel keeps for a time is deleted after it, however much there is, and nothing before', async () => {
  const tenantId = newId();
  const left = () =>
    t.db.forPlatform((tx) => tx.query<{ key: string }>('SELECT key FROM idempotency_keys ORDER BY key'));
  await t.db.forPlatform((tx) =>
    tx.execute(
      `INSERT INTO idempotency_keys (tenant_id, principal, key, request_hash, created_at)
       SELECT $1, 'key:x', CASE WHEN old THEN 'old ' || n ELSE 'young' END, '', clock_timestamp() - CASE WHEN old THEN interval '25 hours' ELSE interval '23 hours' END
       FROM (SELECT n, n > 0 AS old FROM generate_series(0, 5500) n) rows`,
      [tenantId],
    ),
  );
  const [gone, crashed, lives] = [newId(), newId(), newId()];
  const since = (id: string, ended: string | null, heartbeat: string) =>
    t.db.forService('node_keeper', (tx) =>
      tx.execute(
        `INSERT INTO nodes (id, role, host, pid, version, ended_at, heartbeat_at)
         VALUES ($1, 'front', 'h', 1, '0', clock_timestamp() - $2::interval, clock_timestamp() - $3::interval)`,
        [id, ended, heartbeat],
      ),
    );
  await since(gone, '8 days', '8 days');
  await since(crashed, null, '8 days');
  await since(lives, null, '6 days');
  await tidyKernel(t.db);
  expect(await left()).toEqual([{ key: 'young' }]);
  const nodes = await t.db.forService('node_keeper', (tx) => tx.query<{ id: string }>('SELECT id FROM nodes'));
  expect(nodes).toEqual([{ id: lives }]);
});
