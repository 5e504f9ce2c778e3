import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { readAppConfig } from '#app';
import { createLogger } from '#kernel/logger';
import { type TestDatabase, testDatabase } from '#test/database';

import { settleIn } from './first-run.ts';

let t: TestDatabase;
let dataDir: string;

beforeAll(async () => {
  t = await testDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'lintel-first-run-'));
});
afterAll(async () => {
  await t.close();
  await rm(dataDir, { recursive: true, force: true });
});

const settle = () =>
  settleIn({
    premises: { url: t.url, adminUrl: t.url, rootKey: '42'.repeat(32), embedded: undefined, oneAccount: true },
    config: readAppConfig({}),
    options: { port: undefined, host: '127.0.0.1', dataDir, demo: true, workers: 1, trustedProxy: [] },
    baseUrl: 'http://127.0.0.1:8080',
    log: createLogger('silent'),
  });
const kept = async () => JSON.parse(await readFile(join(dataDir, 'first-run.json'), 'utf8'));
const demoTenants = () =>
  t.db.forPlatform((tx) => tx.query("SELECT name FROM tenants WHERE demo AND status = 'active' ORDER BY name"));

test('a first start that breaks off anywhere is taken up by the next one: nobody is locked out, nothing is there twice', async () => {
  // A folder where a file has to go stands for a full disk, or a kill at that moment.
  const blocked = (name: string) => join(dataDir, `${name}.new`);
  await mkdir(blocked('first-run.json'));
  await expect(settle()).rejects.toThrow('EISDIR');
  await rm(blocked('first-run.json'), { recursive: true });
  await mkdir(blocked('demo.json'));
  await expect(settle()).rejects.toThrow('EISDIR');
  await rm(blocked('demo.json'), { recursive: true });
  // The operator is made, and how to sign in as it was kept before anybody could know.
  const first = await kept();
  expect(first).toEqual({
    baseUrl: 'http://127.0.0.1:8080',
    loginUrl: expect.stringContaining('#token='),
    operatorEmail: 'operator@lintel.local',
    operatorKey: expect.stringMatching(/^lt_live_/),
  });
  expect((await stat(join(dataDir, 'first-run.json'))).mode & 0o777).toBe(0o600);
  expect(await settle()).toMatchObject({ created: true, demo: { agent: 'assistant' } });
  expect(await kept()).toMatchObject({ ...first, demo: { agent: 'assistant' } });
  expect(await demoTenants()).toHaveLength(3);
  const keys = await t.db.forPlatform((tx) =>
    tx.query('SELECT 1 FROM api_keys WHERE created_by ->> $1 = $2', ['id', 'demo']),
  );
  expect(keys).toHaveLength(12);
  expect(await settle()).toMatchObject({ created: false, demo: { agent: 'assistant' } });
  expect(await demoTenants()).toHaveLength(3);
}, 60_000);
