import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { systemClock } from '#kernel/clock';
import { newId } from '#kernel/ids';
import { createLogger } from '#kernel/logger';
import { callRecord, usageOf } from '#test/calls';
import { type TestDatabase, testDatabase } from '#test/database';
import { type QuotaNode, startNode } from '#test/quota-node';

import { dropOldMonths } from './drop-old-months.ts';

let t: TestDatabase;
let node: QuotaNode;
let admin: pg.Client;
const tenantId = newId();
const log = createLogger('silent');

beforeAll(async () => {
  t = await testDatabase();
  node = await startNode(t.url, { ticking: false });
  admin = new pg.Client({ connectionString: t.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await node.stop();
  await t.close();
});

const daysAgo = (days: number) => systemClock.now().subtract({ hours: 24 * days });

/** A call with usage so many days ago, and an audit event; returns the id of the call. */
async function recordAt(days: number): Promise<string> {
  const ms = daysAgo(days).epochMilliseconds.toString(16).padStart(12, '0');
  const id = `${ms.slice(0, 8)}-${ms.slice(8)}${newId().slice(13)}`;
  const call = callRecord(tenantId, { id });
  await node.metering.record({ call, usage: [usageOf(call)], charges: [] });
  await admin.query(
    `INSERT INTO audit_events (tenant_id, id, at, type, actor, actor_id, subject, subject_id, data, demo)
     VALUES ($1, $2, $3, 'test.thing.done', '{}', 'x', '{}', 'x', '{}', false)`,
    [tenantId, id, daysAgo(days).toString()],
  );
  return id;
}

async function ids(table: 'calls' | 'usage' | 'audit_events'): Promise<string[]> {
  const { rows } = await admin.query(`SELECT id FROM ${table} WHERE tenant_id = $1 ORDER BY id`, [tenantId]);
  return rows.map(({ id }) => id);
}

async function partitions(): Promise<string[]> {
  const { rows } = await admin.query(
    "SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent IN ('calls'::regclass, 'usage'::regclass) ORDER BY 1",
  );
  return rows.map(({ name }) => name);
}

test('months past their time are dropped whole, what is younger and the audit log are left', async () => {
  const written = [];
  for (const days of [500, 440, 399, 100, 0]) written.push(await recordAt(days));
  const writer = newId();
  await admin.query('INSERT INTO metering_writers VALUES ($1, 0, 1, 1, $2)', [writer, daysAgo(450).toString()]);
  const before = await partitions();
  expect(await ids('calls')).toEqual(written);

  // A reader of the whole table is not waited for longer than half a second; nothing is dropped by halves.
  await admin.query('BEGIN; SELECT count(*) FROM calls');
  await expect(dropOldMonths({ db: t.db, clock: systemClock, log }, 400)).rejects.toThrow('lock timeout');
  await admin.query('COMMIT');
  expect(await partitions()).toEqual(before);

  // A clock that jumped ahead drops nothing that is young by the database's.
  const ahead = { ...systemClock, now: () => systemClock.now().add({ hours: 24 * 3_000 }) };
  await dropOldMonths({ db: t.db, clock: ahead, log }, 400);
  expect(await ids('calls')).toEqual(written.slice(2));
  expect(await ids('usage')).toEqual(written.slice(2));
  expect(await ids('audit_events')).toEqual(written);
  const left = await partitions();
  expect(left.length).toBeLessThan(before.length);
  expect((await admin.query('SELECT 1 FROM metering_writers WHERE writer = $1', [writer])).rowCount).toBe(0);

  // Fewer days, if the operator says so, but never so few that a month could not be billed any more.
  await dropOldMonths({ db: t.db, clock: systemClock, log }, 1);
  expect(await ids('calls')).toEqual(written.slice(4));
  await dropOldMonths({ db: t.db, clock: systemClock, log }, 1);
  // What comes late for a month that is gone finds a partition again.
  const other = await startNode(t.url, { ticking: false });
  const late = callRecord(tenantId, { id: written[0] as string });
  await other.metering.record({ call: late, usage: [usageOf(late)], charges: [] });
  await other.stop();
  expect(await ids('calls')).toEqual([written[0], written[4]]);
});

test('tenants and the platform cannot drop months', async () => {
  const sql = "SELECT lintel_drop_metering('2026-11-22', 400)";
  await expect(t.db.forTenant(tenantId, (tx) => tx.execute(sql))).rejects.toThrow('permission denied');
  await expect(t.db.forPlatform((tx) => tx.execute(sql))).rejects.toThrow('permission denied');
});
