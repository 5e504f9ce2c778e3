import { mkdir, readdir, readFile, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createConnector } from '#kernel/database-connector';
import { createLogger } from '#kernel/logger';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { type TestDatabase, testDatabase } from '#test/database';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';
import { type SmallDisk, smallDisk } from '#test/small-disk';
import { postgresProxy, type TcpProxy } from '#test/tcp-proxy';
import { Spool } from './spool.ts';

let disk: SmallDisk;
let spoolDir: string;
let database: TestDatabase;
let proxy: TcpProxy;
let double: OpenAiDouble;
let house: TestApp;
let tenant: TestTenant;
const logged: { level: string; msg: string }[] = [];

beforeAll(async () => {
  disk = smallDisk();
  spoolDir = join(disk.folder, 'spool');
  double = await startOpenAiDouble();
  database = await testDatabase();
  const { proxy: made, url } = await postgresProxy(database.url);
  proxy = made;
  const log = createLogger('info', {}, { write: (line) => logged.push(JSON.parse(line)) });
  house = await startTestApp({ database, connector: createConnector(url, 'lintel-test'), spoolDir, log });
  tenant = await house.tenant('Acme');
  const provider = await house.call(house.operatorKey, 'POST', '/v1/platform/providers', {
    name: 'double',
    preset: 'openai-compatible',
    baseUrl: double.url,
    apiKey: DOUBLE_KEY,
  });
  const path = `/v1/platform/providers/${provider.body['id']}/models`;
  expect((await house.call(house.operatorKey, 'POST', path, { name: 'double' })).status).toBe(201);
});
afterAll(async () => {
  await house.close();
  await proxy.close();
  await database.close();
  await double.close();
  disk.remove();
});

const ask = (stream = false) =>
  house.call(tenant.key, 'POST', '/v1/chat/completions', {
    model: 'double/double',
    stream,
    messages: [{ role: 'user', content: 'hello' }],
  });
const blocked = async () => {
  const { text } = await house.call(house.operatorKey, 'GET', '/metrics');
  return /^lintel_spool_blocked (\d)$/m.exec(text)?.[1];
};
const warnings = () => logged.filter(({ level, msg }) => level === 'warn' && msg.includes('cannot be taken in'));

/** What there is to know when something did not happen. */
const state = async () =>
  JSON.stringify({ blocked: await blocked(), folder: await readdir(spoolDir), rows: (await done()).length, logged });

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 20_000; !(await what()); ) {
    if (performance.now() > end) throw new Error(`it did not happen within 20 s; ${await state()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Rows of the tenant's calls that count as done, from behind the house. */
async function done(): Promise<string[]> {
  const client = new pg.Client({ connectionString: database.adminUrl });
  await client.connect();
  const { rows } = await client
    .query("SELECT id FROM calls WHERE status = 'ok' ORDER BY id")
    .finally(() => client.end());
  return rows.map(({ id }) => id as string);
}

describe('happy', () => {
  test('the database away: calls are answered, kept, and on the bill when it is back', async () => {
    const before = (await done()).length;
    proxy.cut();
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask()));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await readdir(spoolDir)).length).toBeGreaterThan(0);
    proxy.restore();
    await until(async () => (await done()).length === before + 5);
    await until(async () => (await readdir(spoolDir)).length === 0);
    for (const { headers } of answers)
      expect((await house.call(tenant.key, 'GET', `/v1/calls/${headers.get('x-request-id')}`)).status).toBe(200);
  }, 60_000);
});

describe('errors', () => {
  test('a full disk while the database is away: 503 that says so, nothing half-written, and on with it when there is room', async () => {
    process.stdout.write(`a disk bounded by ${disk.by}\n`);
    logged.length = 0;
    const before = (await done()).length;
    proxy.cut();
    expect((await ask()).status).toBe(200);
    disk.fill(16_384);
    let taken = 1;
    let refused = await ask();
    for (; refused.status === 200; taken++) refused = await ask();
    expect([refused.status, refused.body]).toMatchObject([
      503,
      { error: { code: 'unavailable', message: expect.stringContaining('The spool cannot be written') } },
    ]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    disk.fill(0);
    // The answer has begun by the time the row is to be kept: its end says what happened, and not [DONE].
    const stream = await ask(true);
    expect([stream.text.includes('The spool cannot be written'), stream.text.includes('[DONE]')]).toEqual([
      true,
      false,
    ]);
    expect((await Promise.all([ask(), ask(), ask()])).map(({ status }) => status)).toEqual([503, 503, 503]);
    disk.empty();
    expect((await ask()).status).toBe(200);
    taken++;
    const onDisk = new Spool({ folder: spoolDir, owner: 'reader', maxBytes: 0 });
    const segments = await Promise.all((await onDisk.closed()).map((name) => onDisk.read(name)));
    expect(segments.flatMap(({ lines }) => lines)).toHaveLength(taken);
    expect(segments.every(({ damaged, torn }) => damaged.length === 0 && !torn)).toBe(true);
    await until(async () => (await blocked()) === '1');
    proxy.restore();
    await until(async () => (await done()).length === before + taken);
    await until(async () => (await readdir(spoolDir)).length === 0);
    await until(async () => (await blocked()) === '0');
    expect(warnings().map(({ msg }) => msg)).toEqual([expect.stringContaining('Bring the database back')]);
  }, 60_000);

  test('a spool that cannot be read is told once with what to do, is seen from outside, and holds up no call', async () => {
    logged.length = 0;
    await mkdir(join(spoolDir, '000000000000001-other-000001.ndjson'));
    const before = (await done()).length;
    proxy.cut();
    expect((await ask()).status).toBe(200);
    proxy.restore();
    await until(
      async () => (await blocked()) === '1' && warnings().some(({ msg }) => msg.includes('its files readable')),
    );
    // Calls go to the database again, past the folder that cannot be emptied; those until it was tried once more wait in it.
    let asked = 1;
    await until(async () => {
      expect((await ask()).status).toBe(200);
      asked++;
      return (await done()).length > before;
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(warnings().filter(({ msg }) => msg.includes('its files readable'))).toHaveLength(1);
    const ready = await house.call(undefined, 'GET', '/readyz');
    expect([ready.status, ready.text]).toEqual([200, expect.stringContaining('cannot be taken in (EISDIR)')]);
    await rmdir(join(spoolDir, '000000000000001-other-000001.ndjson'));
    await until(async () => (await done()).length === before + asked);
    await until(async () => (await blocked()) === '0');
  }, 60_000);
});

describe('security', () => {
  test('what is kept is its owner’s alone to read, and holds neither keys nor what was said', async () => {
    proxy.cut();
    expect((await ask()).status).toBe(200);
    // The credential is looked at all the same.
    const forged = await house.call(`${tenant.key.slice(0, -1)}_`, 'POST', '/v1/chat/completions', { model: 'x' });
    expect(forged.status).toBe(401);
    const names = await readdir(spoolDir);
    expect(names.length).toBeGreaterThan(0);
    expect((await stat(spoolDir)).mode & 0o077).toBe(0);
    for (const name of names) {
      expect((await stat(join(spoolDir, name))).mode & 0o077).toBe(0);
      const text = await readFile(join(spoolDir, name), 'utf8');
      for (const secret of [tenant.key, DOUBLE_KEY, 'hello']) expect(text).not.toContain(secret);
    }
    proxy.restore();
    await until(async () => (await readdir(spoolDir)).length === 0);
  }, 60_000);
});
