import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { newId } from '#kernel/ids';
import { Problem } from '#kernel/problem';
import { callRecord, usageOf } from '#test/calls';
import { type TestDatabase, testDatabase } from '#test/database';
import { type QuotaNode, startNode } from '#test/quota-node';
import { postgresProxy, type TcpProxy } from '#test/tcp-proxy';

import type { CallRow } from './store.ts';

let t: TestDatabase;
let proxy: TcpProxy;
let proxied: string;
let folder: string;
const running: QuotaNode[] = [];

beforeAll(async () => {
  t = await testDatabase();
  ({ proxy, url: proxied } = await postgresProxy(t.url));
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lintel-spool-'));
});
afterEach(async () => {
  proxy.restore();
  await Promise.all(running.splice(0).map((node) => node.stop()));
  await rm(folder, { recursive: true });
});
afterAll(async () => {
  await proxy.close();
  await t.close();
});

async function start(url: string, more: Parameters<typeof startNode>[1] = {}): Promise<QuotaNode> {
  const node = await startNode(url, more);
  running.push(node);
  return node;
}

async function tokenLimit(node: QuotaNode, tenantId: string, amount: number): Promise<string> {
  const input = { scope: 'tenant', scopeId: null, resource: 'tokens', window: 'day', amount: String(amount) } as const;
  const { id } = await node.quota.setQuota(tenantId, input, 'platform', systemCause('test'));
  await Promise.all(running.map(({ snapshots }) => snapshots.loadAll()));
  return id;
}

const tokens = (amount: number) => ({ tokens: BigInt(amount), money: 0n });

/** A call of 10 tokens; returns its id once it is recorded. */
async function call(node: QuotaNode, tenantId: string): Promise<string> {
  const reservation = await node.quota.reserve({ tenantId }, tokens(20));
  const record = callRecord(tenantId);
  await node.metering.record({ call: record, usage: [usageOf(record)], charges: reservation.settle(tokens(10)) });
  return record.id;
}

/** What the database holds of a tenant: rows of calls and usage, and the counter of its limit. */
async function standing(tenantId: string): Promise<{ calls: string[]; usage: string[]; used: number; late: number }> {
  return t.db.forPlatform(async (tx) => {
    const calls = await tx.query<{ id: string; late: boolean }>(
      'SELECT id, late FROM calls WHERE tenant_id = $1 ORDER BY id',
      [tenantId],
    );
    const usage = await tx.query<{ id: string }>('SELECT id FROM usage WHERE tenant_id = $1 ORDER BY id', [tenantId]);
    const { used } = await tx.one<{ used: number }>(
      'SELECT coalesce(sum(used), 0)::bigint AS used FROM leases WHERE tenant_id = $1',
      [tenantId],
    );
    return {
      calls: calls.map(({ id }) => id),
      usage: usage.map(({ id }) => id),
      used,
      late: calls.filter(({ late }) => late).length,
    };
  });
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await what())) {
    if (performance.now() > end) throw new Error('it did not happen within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function lines(): Promise<number> {
  let count = 0;
  for (const name of await readdir(folder))
    count += (await readFile(join(folder, name), 'utf8')).split('\n').length - 1;
  return count;
}

describe('commit', () => {
  test('a call, its usage and its charge are there when record resolves; rows are numbered densely per writer', async () => {
    const node = await start(t.url, { ticking: false });
    const tenantId = newId();
    await tokenLimit(node, tenantId, 1_000_000);
    const ids = await Promise.all(Array.from({ length: 1_200 }, () => call(node, tenantId)));
    const found = await standing(tenantId);
    expect(found).toEqual({ calls: ids.sort(), usage: ids, used: 12_000, late: 0 });
    const numbers = await t.db.forPlatform((tx) =>
      tx.query<{ writerSeq: number }>('SELECT writer_seq FROM calls WHERE writer = $1 ORDER BY writer_seq', [
        node.nodeId,
      ]),
    );
    expect(numbers.map(({ writerSeq }) => writerSeq)).toEqual(ids.map((_, i) => i + 1));
  });

  test('a repeated record changes nothing, not even the counter', async () => {
    const node = await start(t.url, { ticking: false });
    const tenantId = newId();
    await tokenLimit(node, tenantId, 1_000);
    const reservation = await node.quota.reserve({ tenantId }, tokens(20));
    const record = callRecord(tenantId);
    const entry = { call: record, usage: [usageOf(record)], charges: reservation.settle(tokens(10)) };
    await Promise.all([node.metering.record(entry), node.metering.record(entry)]);
    await node.metering.record(entry);
    const usage = { ...usageOf(record), id: newId(), source: 'agents' };
    const charge = [{ leaseId: entry.charges[0]?.leaseId as string, amount: 5n }];
    await node.metering.recordUsage([{ usage, charges: charge }]);
    await node.metering.recordUsage([{ usage, charges: charge }]);
    expect(await standing(tenantId)).toEqual({
      calls: [record.id],
      usage: [record.id, usage.id].sort(),
      used: 15,
      late: 0,
    });
  });

  test('an entry the database cannot take is cleaned or rejected alone, and the others of its batch are kept', async () => {
    const node = await start(t.url, { ticking: false });
    const tenantId = newId();
    const good = Array.from({ length: 20 }, () => callRecord(tenantId));
    const odd = callRecord(tenantId, { model: 'a\u0000b\ud800' });
    const bad = callRecord(tenantId, { price: 'many' });
    const all = [...good.slice(0, 10), odd, bad, ...good.slice(10)];
    const results = await Promise.allSettled(
      all.map((record) => node.metering.record({ call: record, usage: [], charges: [] })),
    );
    expect(results.map(({ status }) => status)).toEqual(all.map((each) => (each === bad ? 'rejected' : 'fulfilled')));
    expect((await standing(tenantId)).calls).toEqual([...good, odd].map(({ id }) => id).sort());
    expect((await node.metering.getCall(tenantId, odd.id)).model).toBe('a\ufffdb\ufffd');
    expect(() => node.metering.record({ call: null, usage: [], charges: [] })).toThrow('a call or a usage row');
  });

  test('calls of a month without a partition get one', async () => {
    const node = await start(t.url, { ticking: false });
    const tenantId = newId();
    const old = callRecord(tenantId, { id: idAt('2025-03-31T23:59:59.999Z') });
    await node.metering.record({ call: old, usage: [usageOf(old)], charges: [] });
    expect((await node.metering.getCall(tenantId, old.id)).at).toBe('2025-03-31T23:59:59.999Z');
  });
});

describe('inside a request that keeps its Idempotency-Key', () => {
  test('what is recorded and leased belongs to nobody’s transaction: it stays when the request is rolled back', async () => {
    const node = await start(t.url, { ticking: false });
    const tenantId = newId();
    await tokenLimit(node, tenantId, 1_000_000);
    const rolledBack = node.db.together(tenantId, async () => {
      await call(node, tenantId);
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    await call(node, tenantId);
    const found = await standing(tenantId);
    expect(found.calls).toHaveLength(2);
    expect(found.used).toBe(20);
  });
});

describe('the database goes away', () => {
  test('an answer to COMMIT that never comes is settled by repeating: each call once', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    process.stdout.write(`seed ${seed}\n`);
    const node = await start(proxied, { spoolFolder: folder });
    const tenantId = newId();
    await tokenLimit(node, tenantId, 100_000_000);
    await call(node, tenantId);
    const ids: string[] = [];
    for (let round = 0; round < 5; round++) {
      const before = proxy.answersCut;
      // Only the writer's transactions: cut once between commit and acknowledgement.
      proxy.cutAnswersTo(/COMMIT/, 1 + ((seed + round) % 2));
      ids.push(...(await Promise.all(Array.from({ length: 30 }, () => call(node, tenantId)))));
      await until(() => proxy.answersCut > before);
      proxy.restore();
      await until(() => !node.recorder.away && node.recorder.spoolBytes === 0);
    }
    const found = await standing(tenantId);
    expect(found.calls.length).toBe(151);
    expect(new Set(found.calls).size).toBe(151);
    expect(ids.every((id) => found.calls.includes(id))).toBe(true);
    expect(found).toMatchObject({ used: 1_510, late: 0 });
    // No number twice: a reader's cursor would pass over one of the two.
    const numbers = await t.db.forPlatform((tx) =>
      tx.query('SELECT DISTINCT epoch, writer_seq FROM calls WHERE writer = $1', [node.nodeId]),
    );
    expect(numbers).toHaveLength(151);
  });

  test('calls go on from leases and the spool; what it kept is committed when the database is back', async () => {
    const node = await start(proxied, { spoolFolder: folder });
    const tenantId = newId();
    await tokenLimit(node, tenantId, 100_000_000);
    const ids = [await call(node, tenantId)];
    proxy.cut();
    ids.push(...(await Promise.all(Array.from({ length: 50 }, () => call(node, tenantId)))));
    ids.push(await call(node, tenantId));
    expect(node.recorder.away).toBe(true);
    expect(await lines()).toBe(51);
    expect((await standing(tenantId)).calls).toHaveLength(1);
    // What nobody has leased cannot be had.
    const other = newId();
    proxy.restore();
    await until(() => node.recorder.spoolBytes === 0 && !node.recorder.away);
    ids.push(await call(node, tenantId));
    expect(await readdir(folder)).toEqual([]);
    expect(await standing(tenantId)).toEqual({ calls: ids.sort(), usage: ids, used: 530, late: 0 });
    expect((await standing(other)).calls).toEqual([]);
  });

  test('a database that does not answer is given up on, and what it did after all is not done again', async () => {
    const node = await start(proxied, { spoolFolder: folder });
    const tenantId = newId();
    await tokenLimit(node, tenantId, 100_000_000);
    await call(node, tenantId);
    proxy.hang();
    const ids = await Promise.all([call(node, tenantId), call(node, tenantId)]);
    expect(await lines()).toBe(2);
    proxy.restore();
    await until(() => !node.recorder.away && node.recorder.spoolBytes === 0);
    const found = await standing(tenantId);
    expect(ids.every((id) => found.calls.includes(id))).toBe(true);
    expect(found).toMatchObject({ used: 30, late: 0 });
  });

  test('leases come again after a connection that was left hanging, though its last question was never answered', async () => {
    const node = await start(proxied, { spoolFolder: folder });
    const [warm, cold] = [newId(), newId()];
    await tokenLimit(node, warm, 100_000_000);
    await tokenLimit(node, cold, 100_000_000);
    await call(node, warm);
    proxy.hang();
    await expect(call(node, cold)).rejects.toMatchObject({ kind: { status: 503 } });
    await call(node, warm);
    // Old connections stay dead, new ones work: as after a lost route.
    proxy.passNew();
    await until(() =>
      call(node, cold).then(
        () => true,
        () => false,
      ),
    );
    await call(node, warm);
    await until(() => !node.recorder.away && node.recorder.spoolBytes === 0);
    proxy.restore();
    expect((await standing(warm)).used).toBe(30);
    expect((await standing(cold)).used).toBe(10);
  });

  test('without a spool, and with a full one, calls get 503 and none of them is billed', async () => {
    const bare = await start(proxied, { ticking: false });
    const full = await start(proxied, { ticking: false, spoolFolder: folder, spoolMaxBytes: 2_500 });
    const tenantId = newId();
    proxy.cut();
    const refused = async (node: QuotaNode) => {
      const record = callRecord(tenantId);
      const error = await node.metering.record({ call: record, usage: [], charges: [] }).catch((each: unknown) => each);
      return error instanceof Problem ? error.kind : undefined;
    };
    expect(await refused(bare)).toMatchObject({ status: 503 });
    expect(await refused(full)).toBeUndefined();
    let last: unknown;
    for (let i = 0; i < 5 && last === undefined; i++) last = await refused(full);
    expect(last).toMatchObject({ status: 503, type: 'spool-full' });
    const kept = await lines();
    proxy.restore();
    await until(() => full.recorder.spoolBytes === 0 && !full.recorder.away);
    expect((await standing(tenantId)).calls).toHaveLength(kept);
  });
});

describe('the spool of a dead process', () => {
  /** Fills a spool as a process does that is then killed. */
  async function left(tenantId: string, calls: number): Promise<QuotaNode> {
    const node = await start(proxied, { spoolFolder: folder });
    await tokenLimit(node, tenantId, 1_000_000);
    await call(node, tenantId);
    proxy.cut();
    for (let i = 0; i < calls; i++) await call(node, tenantId);
    running.splice(running.indexOf(node), 1);
    await node.kill();
    proxy.restore();
    return node;
  }

  test('is taken in by the next one on the folder, torn tail and all; on its lease while that runs', async () => {
    const tenantId = newId();
    await left(tenantId, 3);
    const [name] = await readdir(folder);
    await appendFile(join(folder, name as string), '0badc0de {"call":{"id":"');
    const next = await start(t.url, { spoolFolder: folder, ticking: false });
    await until(() => next.recorder.spoolBytes === 0);
    expect(await standing(tenantId)).toMatchObject({ used: 40, late: 0 });
    expect((await standing(tenantId)).calls).toHaveLength(4);
    expect(await readdir(folder)).toEqual([]);
  });

  test('is billed late when its leases are gone, once, whoever takes it in again', async () => {
    const tenantId = newId();
    const dead = await left(tenantId, 3);
    const [name] = await readdir(folder);
    const copy = await readFile(join(folder, name as string));
    await t.db.forService('lease_keeper', (tx) =>
      tx.execute('UPDATE lease_holders SET ended = true WHERE holder_id = $1', [dead.book.holder.id]),
    );
    const next = await start(t.url, { ticking: false });
    expect(await next.metering.ingestSpool(folder)).toBe(3);
    await writeFile(join(folder, name as string), copy);
    expect(await next.metering.ingestSpool(folder)).toBe(3);
    expect(await standing(tenantId)).toMatchObject({ used: 40, late: 3 });
    const { data } = await next.quota.getUsage(tenantId, {}, undefined, 10);
    expect(data[0]?.used).toBe('40');
  });

  test('a damaged line is kept aside, the others are taken in', async () => {
    const tenantId = newId();
    await left(tenantId, 3);
    const [name] = await readdir(folder);
    const path = join(folder, name as string);
    const text = await readFile(path, 'utf8');
    const rows = text.split('\n');
    rows[1] = (rows[1] as string).replace('"chat"', '"chut"');
    await writeFile(path, rows.join('\n'));
    const next = await start(t.url, { ticking: false });
    await next.metering.ingestSpool(folder);
    expect((await standing(tenantId)).calls).toHaveLength(3);
    expect(await readdir(folder)).toEqual([`${name}.damaged`]);
    expect(await readFile(`${path}.damaged`, 'utf8')).toBe(`${rows[1]}\n`);
  });
});

describe('refusals', () => {
  test('of one principal and reason are one row and a count a second; of 100,000 addresses a bounded number', async () => {
    const node = await start(t.url, { ticking: false });
    const tenantId = newId();
    const refused = (more: Parameters<typeof callRecord>[1]) =>
      callRecord(tenantId, {
        status: 'refused',
        httpStatus: 429,
        error: { code: 'rate_limit_exceeded', message: '' },
        ...more,
      });
    const principalId = newId();
    const first = refused({ principalId });
    expect(node.metering.refuse(first)).toBe(first.id);
    for (let i = 0; i < 499; i++) expect(node.metering.refuse(refused({ principalId }))).toBe(first.id);
    node.metering.refuse(refused({ principalId, error: { code: 'forbidden', message: '' } }));
    node.metering.flushRefusals();
    await until(async () => (await standing(tenantId)).calls.length === 3);
    const { data } = await node.metering.listCalls(tenantId, { includeDemo: true }, undefined, 10);
    expect(data.map(({ requests }) => requests).sort()).toEqual([1, 1, 499]);
    const flood = refused({});
    for (let i = 0; i < 100_000; i++)
      node.metering.refuse({ ...flood, id: newId(), principalId: '', origin: { ip: `a${i}`, client: '' } });
    node.metering.flushRefusals();
    const sum = async () => {
      const { rows } = await everything(node);
      return rows.filter((row) => row.tenantId === tenantId).reduce((all, { requests }) => all + requests, 0);
    };
    await until(async () => (await sum()) === 100_501);
    expect((await standing(tenantId)).calls.length).toBeLessThan(1_100);
  });
});

describe('reading', () => {
  test('batch readers see every row of every writer once, in its order, whatever became of a commit', async () => {
    const nodes = [await start(t.url, { ticking: false }), await start(t.url, { ticking: false })];
    const tenantId = newId();
    let cursors: Readonly<Record<string, number>> = {};
    const seen: CallRow[] = [];
    const read = async () => {
      const batch = await (nodes[0] as QuotaNode).metering.readCalls(cursors, 37);
      cursors = batch.cursors;
      seen.push(...batch.rows.filter((row) => row.tenantId === tenantId));
      return batch.rows.length;
    };
    const writing = Promise.all(Array.from({ length: 400 }, (_, i) => call(nodes[i % 2] as QuotaNode, tenantId)));
    for (let i = 0; i < 20; i++) await read();
    const ids = await writing;
    while ((await read()) > 0);
    expect(seen.map(({ id }) => id).sort()).toEqual(ids.sort());
    for (const node of nodes) {
      const own = seen.filter(({ writer }) => writer === node.nodeId).map(({ writerSeq }) => writerSeq);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
  });

  test('lists are cut by filter and page; another tenant sees nothing; sums add up', async () => {
    const node = await start(t.url, { ticking: false });
    const [tenantId, other] = [newId(), newId()];
    const at = (minute: number) => idAt(`2026-11-${minute < 3 ? '01' : '02'}T10:0${minute}:00Z`);
    const records = [0, 1, 2, 3, 4].map((minute) =>
      callRecord(tenantId, { id: at(minute), model: minute % 2 === 0 ? 'acme/small' : 'acme/big', demo: minute === 4 }),
    );
    await Promise.all(records.map((call) => node.metering.record({ call, usage: [usageOf(call)], charges: [] })));
    const page = await node.metering.listCalls(tenantId, { includeDemo: true }, undefined, 2);
    expect(page.data.map(({ id }) => id)).toEqual([records[4]?.id, records[3]?.id]);
    const rest = await node.metering.listCalls(tenantId, { includeDemo: true }, records[3]?.id, 10);
    expect(rest.data).toHaveLength(3);
    expect(rest.nextCursor).toBeNull();
    expect(
      (await node.metering.listCalls(tenantId, { includeDemo: true, model: 'acme/big' }, undefined, 9)).data,
    ).toHaveLength(2);
    expect((await node.metering.listAllCalls({ tenantId, includeDemo: false }, undefined, 9)).data).toHaveLength(4);
    expect((await node.metering.listCalls(other, { includeDemo: true }, undefined, 9)).data).toEqual([]);
    await expect(node.metering.getCall(other, records[0]?.id as string)).rejects.toMatchObject({
      kind: { status: 404 },
    });
    const range = { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z', tenantId, includeDemo: true };
    expect(await node.metering.sumUsage(range, 'day', 'UTC', 'tenant')).toEqual([
      sum('2026-11-01', 3),
      sum('2026-11-02', 2),
    ]);
    expect(await node.metering.sumUsage(range, 'model', 'UTC', 'tenant')).toEqual([
      sum('acme/big', 2),
      sum('acme/small', 3),
    ]);
    expect(await node.metering.sumUsage({ ...range, includeDemo: false }, 'tenant', 'UTC', 'platform')).toEqual([
      sum(tenantId, 4),
    ]);
    expect(await node.metering.sumUsage({ ...range, tenantId: other }, 'day', 'UTC', 'tenant')).toEqual([]);
  });
});

function sum(group: string, calls: number) {
  return {
    group,
    events: calls,
    quantities: { input_tokens: String(10 * calls), output_tokens: String(5 * calls) },
    prices: [{ currency: 'USD', amount: `0.000${2 * calls}`.replace(/^0\.00010$/, '0.001') }],
  };
}

async function everything(node: QuotaNode): Promise<{ rows: CallRow[] }> {
  return node.metering.readCalls({}, 100_000);
}

/** A UUID version 7 of a given time. */
function idAt(time: string): string {
  const ms = Date.parse(time).toString(16).padStart(12, '0');
  return `${ms.slice(0, 8)}-${ms.slice(8)}${newId().slice(13)}`;
}

describe('an entry that no column takes', () => {
  test.each([
    ['tokens that are no whole number', { quantities: { input_tokens: 1.5, output_tokens: 0 } }],
    ['more tokens than a number holds', { quantities: { input_tokens: 1e300, output_tokens: 0 } }],
    ['a key id that is none', { keyId: 'nobody' }],
    ['no time of its end', { endedAt: 'never' }],
    ['a NUL in a name the database reads', { model: 'a\u0000b'.repeat(2), keyId: 'x' }],
  ])('%s: the others are written and charged once, it alone is refused and charges nothing', async (_, fault) => {
    const node = await start(t.url);
    const tenantId = newId();
    await tokenLimit(node, tenantId, 1_000_000);
    // The lease is there from now on: what follows waits for nothing but its own commit.
    const first = await call(node, tenantId);
    const settled = await Promise.allSettled(
      Array.from({ length: 20 }, async (_, index) => {
        const reservation = await node.quota.reserve({ tenantId }, tokens(20));
        const record = { ...callRecord(tenantId), ...(index === 7 ? fault : {}) };
        await node.metering.record({ call: record, usage: [usageOf(record)], charges: reservation.settle(tokens(10)) });
        return record.id;
      }),
    );
    const refused = settled.flatMap((each, n) => (each.status === 'rejected' ? [[n, String(each.reason)]] : []));
    expect(refused).toEqual([[7, expect.any(String)]]);
    const written = [first, ...settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))].sort();
    expect(await standing(tenantId)).toMatchObject({ calls: written, usage: written, used: 200 });
  });
});
