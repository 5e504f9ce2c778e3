import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { databaseRoles } from '#kernel/migrate';
import { addressOf, type TestDatabase, testDatabase } from '#test/database';

import { lookAtLogin } from './look-at-login.ts';

let t: TestDatabase;
let admin: pg.Client;
const made: string[] = [];

beforeAll(async () => {
  t = await testDatabase();
  admin = new pg.Client({ connectionString: t.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  for (const name of made) await admin.query(`DROP ROLE ${name}`);
  await admin.end();
  await t.close();
});

/** What doctor finds of an account with these attributes that is a member of the roles of the house as migrations make it one. */
async function look(attributes: string, mend?: string) {
  const name = `lintel_look_${process.pid}_${made.length}`;
  await admin.query(`CREATE ROLE ${name} LOGIN ${attributes} PASSWORD 'lintel-look'`);
  made.push(name);
  for (const role of databaseRoles.filter((role) => role !== 'lintel_owner'))
    await admin.query(`GRANT ${role} TO ${name}`);
  if (mend !== undefined) await admin.query(mend.replaceAll('$name', name));
  const database = new URL(t.adminUrl).pathname.slice(1);
  const client = new pg.Client({
    connectionString: addressOf(t.adminUrl, database, { name, password: 'lintel-look' }),
  });
  await client.connect();
  try {
    return { name, ...(await lookAtLogin(client)) };
  } finally {
    await client.end();
  }
}

test('an account without rights of its own is as it should be', async () => {
  expect(await look('NOINHERIT')).toMatchObject({ ok: true });
});

test('one that inherits the roles of the house is told with what mends it', async () => {
  const { ok, name, detail } = await look('INHERIT');
  expect(ok).toBe('weak');
  expect(detail).toContain('lintel_app, lintel_directory');
  expect(detail).toContain(`ALTER ROLE ${name} NOINHERIT;`);
  // What it says to run does mend it.
  expect(await look('INHERIT', detail.slice(detail.indexOf('Run: ') + 5).replaceAll(name, '$name'))).toMatchObject({
    ok: true,
  });
});

test('one that passes by row-level security is told', async () => {
  for (const attributes of ['NOINHERIT SUPERUSER', 'NOINHERIT BYPASSRLS'])
    expect(await look(attributes)).toMatchObject({ ok: 'weak', detail: expect.stringContaining('row-level security') });
});
