import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { becauseOf, systemCause } from '#kernel/cause';
import { Database, type Statement } from '#kernel/database';
import { createConnector } from '#kernel/database-connector';
import { UnknownOutcome } from '#kernel/database-faults';
import { newId } from '#kernel/ids';
import { append, type NewEvent } from '#kernel/log';
import { type TestDatabase, testDatabase } from '#test/database';
import { postgresProxy } from '#test/tcp-proxy';

let database: TestDatabase;
let db: Database;
let admin: pg.Client;
const tenant = newId();

beforeAll(async () => {
  database = await testDatabase();
  db = new Database({ connector: database.connector, poolSize: 2 });
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
});

afterAll(async () => {
  await db.close();
  await admin.end();
  await database.close();
});

const who = 'SELECT current_user::text AS role, txid_current()::text AS id';
type Who = { role: string; id: string };

test('doors inside a joint transaction take turns in it, each in its own role', async () => {
  const [outer, inner, again] = await db.together(tenant, async (tx) => {
    const first = tx.one<Who>(who);
    const second = db.forService('directory', (each) => each.one<Who>(who));
    const third = tx.one<Who>(who);
    return Promise.all([first, second, third]);
  });
  expect([outer.role, inner.role, again.role]).toEqual(['lintel_app', 'lintel_directory', 'lintel_app']);
  expect(new Set([outer.id, inner.id, again.id]).size).toBe(1);
});

test('a door that is still open when the joint work returns belongs to the transaction; a later one does not', async () => {
  let late: Promise<Who> | undefined;
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  let unawaited: Promise<Who> | undefined;
  const joint = await db.together(tenant, async (tx) => {
    late = gate.then(() => db.forService('directory', (each) => each.one<Who>(who)));
    unawaited = db.forService('directory', async (each) => {
      await each.query('SELECT pg_sleep(0.05)');
      return each.one<Who>(who);
    });
    return tx.one<Who>(who);
  });
  expect((await unawaited)?.id).toBe(joint.id);
  // The connection of the joint transaction is another's now: work left behind must not speak on it.
  await db.forTenant(tenant, async (tx) => {
    const mine = await tx.one<Who>(who);
    go();
    const theirs = (await late) as Who;
    expect(theirs.role).toBe('lintel_directory');
    expect(theirs.id).not.toBe(mine.id);
    expect((await tx.one<Who>(who)).role).toBe('lintel_app');
  });
});

test('work as a service that fails leaves the role it came from', async () => {
  const after = await db.forTenant(tenant, async (tx) => {
    await tx
      .asService('directory', async () => {
        throw new Error('no');
      })
      .catch(() => undefined);
    return tx.one<Who>(who);
  });
  expect(after.role).toBe('lintel_app');
});

test('work of a joint transaction runs once, whatever happens to the connection', async () => {
  let runs = 0;
  const broken = db.together(tenant, async (tx) => {
    runs++;
    const { pid } = await tx.one<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await admin.query('SELECT pg_terminate_backend($1)', [pid]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return tx.one<Who>(who);
  });
  await expect(broken).rejects.toMatchObject({ kind: { status: 503 } });
  expect(runs).toBe(1);
});

test('a connection lost between two statements is tried again, as one lost inside a statement is', async () => {
  let runs = 0;
  const found = await db.forTenant(tenant, async (tx) => {
    const { pid } = await tx.one<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    if (++runs === 1) {
      await admin.query('SELECT pg_terminate_backend($1)', [pid]);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return tx.one<Who>(who);
  });
  expect(runs).toBe(2);
  expect(found.role).toBe('lintel_app');
});

const register = (writer: string, epoch: number): Statement => ({
  name: 'test-register',
  text: 'INSERT INTO metering_writers (writer, epoch, calls, usage, seen_at) VALUES ($1, $2, 0, 0, clock_timestamp())',
  values: [writer, epoch],
});
const epochsOf = async (writer: string) =>
  (await admin.query('SELECT epoch FROM metering_writers WHERE writer = $1 ORDER BY epoch', [writer])).rows.map(
    ({ epoch }) => epoch,
  );

test('a transaction in one trip is committed as a whole, in its role', async () => {
  const writer = newId();
  await db.inOneTrip('usage_writer', [register(writer, 1), register(writer, 2)]);
  await db.inOneTrip('usage_writer', [register(writer, 3), register(writer, 4)]);
  expect(await epochsOf(writer)).toEqual([1, 2, 3, 4]);
  await expect(db.inOneTrip('relay', [register(writer, 5)])).rejects.toMatchObject({ code: '42501' });
});

test('one statement that fails undoes a transaction in one trip', async () => {
  const writer = newId();
  const twice = db.inOneTrip('usage_writer', [register(writer, 1), register(writer, 1), register(writer, 2)]);
  await expect(twice).rejects.toMatchObject({ code: '23505' });
  expect(await epochsOf(writer)).toEqual([]);
  // The connection is clean for the next.
  expect((await db.forTenant(tenant, (tx) => tx.one<Who>(who))).role).toBe('lintel_app');
});

test('who listens to commits and fails makes no committed change look failed', async () => {
  const own = new Database({ connector: database.connector, poolSize: 2 });
  const heard: string[] = [];
  own.onCommit(() => Promise.reject(new Error('the snapshot could not be read')));
  own.onCommit(async (events) => void heard.push(...events.map(({ type }) => type)));
  const event = {
    tenantId: tenant,
    type: 'a.b.done',
    actor: { kind: 'system', id: 'x' },
    subject: { kind: 'x', id: tenant },
  };
  expect(await own.forTenant(tenant, async (tx) => (await append(tx, event as NewEvent)).type)).toBe('a.b.done');
  expect(heard).toEqual(['a.b.done']);
  await own.close();
});

test('a statement whose error is swallowed commits nothing', async () => {
  const writer = newId();
  const swallowed = db.forService('usage_writer', async (tx) => {
    await Promise.allSettled([tx.run(register(writer, 1)), tx.run(register(writer, 1))]);
  });
  await expect(swallowed).rejects.toThrow('nothing is committed');
  expect(await epochsOf(writer)).toEqual([]);
});

test('a connection that is cut under a transaction in one trip leaves its outcome unknown, and it is not tried again', async () => {
  const [earlier, writer] = [newId(), newId()];
  await db.inOneTrip('usage_writer', [register(earlier, 1)]);
  const work = db.inOneTrip('usage_writer', [
    register(writer, 1),
    {
      name: 'test-wait',
      text: "UPDATE metering_writers SET calls = 1 WHERE writer = $1 AND pg_sleep(10) IS NOT NULL AND 'cut here' <> ''",
      values: [earlier],
    },
  ]);
  const cut = expect(work).rejects.toBeInstanceOf(UnknownOutcome);
  const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE '%cut here%' AND pid <> pg_backend_pid()`;
  while ((await admin.query(kill)).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await cut;
  expect(await epochsOf(writer)).toEqual([]);
});

test('where BEGIN is refused nothing that was sent behind it takes effect', async () => {
  const writer = newId();
  const single = new Database({ connector: database.connector, poolSize: 1 });
  await single.forPlatform((tx) => tx.query('SELECT 1'));
  // A role that is not there: BEGIN stands, its second part fails, the rest comes to a spoilt transaction.
  const refused = single.forService('nobody' as 'relay', (tx) => tx.run(register(writer, 1)));
  await expect(refused).rejects.toThrow('role "lintel_nobody" does not exist');
  const inOne = single.inOneTrip('nobody' as 'relay', [register(writer, 2)]);
  await expect(inOne).rejects.toThrow('role "lintel_nobody" does not exist');
  await single.close();
  expect(await epochsOf(writer)).toEqual([]);
});

test('events of doors inside a joint transaction are told after its commit, and only then', async () => {
  const told: string[] = [];
  const single = new Database({ connector: database.connector, poolSize: 1 });
  single.onCommit(async (events) => void told.push(...events.map(({ type }) => type)));
  const event = { tenantId: tenant, type: 'test.thing.done', subject: { kind: 'test', id: 'x', name: 'x' }, data: {} };
  await single.together(tenant, async () => {
    await single.forTenant(tenant, (tx) =>
      append(tx, { ...event, ...becauseOf(systemCause('test')) }, Temporal.Now.instant()),
    );
    expect(told).toEqual([]);
  });
  expect(told).toEqual(['test.thing.done']);
  await single.close();
});

describe('a statement that leaves with COMMIT', () => {
  test('is committed with the rest, or undoes it', async () => {
    const writer = newId();
    const rows = await db.forService('usage_writer', async (tx) => {
      const changed = await tx.run(register(writer, 1));
      const { name, text, values } = register(writer, 1 + changed);
      return tx.commitWith({ name: `${name}-returning`, text: `${text} RETURNING epoch`, values });
    });
    expect(rows).toEqual([{ epoch: 2 }]);
    expect(await epochsOf(writer)).toEqual([1, 2]);
    const other = newId();
    const twice = db.forService('usage_writer', async (tx) => {
      await tx.run(register(other, 1));
      await tx.commitWith(register(other, 1));
    });
    await expect(twice).rejects.toMatchObject({ code: '23505' });
    expect(await epochsOf(other)).toEqual([]);
  });

  test('commits nothing where pg could refuse to send it', async () => {
    const writer = newId();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const refused = db.forService('usage_writer', async (tx) => {
      await tx.run(register(writer, 1));
      await tx.commitWith({ name: 'circle', text: 'SELECT $1::jsonb', values: [circle] });
    });
    await expect(refused).rejects.toThrow('An object cannot leave together with COMMIT.');
    expect(await epochsOf(writer)).toEqual([]);
  });

  test('whose connection is cut before BEGIN was answered has an unknown outcome, and is not sent again', async () => {
    const { proxy, url } = await postgresProxy(database.url);
    const single = new Database({ connector: createConnector(url, 'test-cut'), poolSize: 1 });
    await single.forPlatform((tx) => tx.query('SELECT 1'));
    proxy.cutAnswersTo(/BEGIN/, 1);
    const writer = newId();
    const cut = single.forService('usage_writer', (tx) => tx.commitWith(register(writer, 1)));
    await expect(cut).rejects.toBeInstanceOf(UnknownOutcome);
    await single.close();
    await proxy.close();
  });

  test('ends the transaction: nothing may follow', async () => {
    const writer = newId();
    const more = db.forService('usage_writer', async (tx) => {
      await tx.commitWith(register(writer, 1));
      await tx.run(register(writer, 2));
    });
    await expect(more).rejects.toThrow('The transaction has ended.');
    expect(await epochsOf(writer)).toEqual([1]);
  });

  test('inside a joint transaction leaves the end to the whole', async () => {
    const writer = newId();
    const whole = db.together(tenant, async () => {
      await db.forService('usage_writer', async (tx) => void (await tx.commitWith(register(writer, 3))));
      await db.forService('usage_writer', async (tx) => void (await tx.commitWith(register(writer, 4))));
      throw new Error('after all not');
    });
    await expect(whole).rejects.toThrow('after all not');
    expect(await epochsOf(writer)).toEqual([]);
    await db.together(tenant, (tx) =>
      db
        .forService('usage_writer', async (inner) => void (await inner.commitWith(register(writer, 5))))
        .then(() => tx.commitWith({ name: 'one', text: 'SELECT 1', values: [] })),
    );
    expect(await epochsOf(writer)).toEqual([5]);
  });
});
