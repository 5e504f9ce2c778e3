import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import { newId } from '#kernel/ids';
import { Problem } from '#kernel/problem';
import { callRecord, usageOf } from '#test/calls';
import { type TestDatabase, testDatabase } from '#test/database';
import { type QuotaNode, startNode } from '#test/quota-node';

import type { Subjects } from './limits.ts';
import type { NewLimit } from './quota-manager.ts';
import type { Amounts, Reservation } from './reservation.ts';

let t: TestDatabase;
const running: QuotaNode[] = [];
const cause = systemCause('test');

beforeAll(async () => {
  t = await testDatabase();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((node) => node.stop()));
});
afterAll(() => t.close());

async function start(more: Parameters<typeof startNode>[1] = {}): Promise<QuotaNode> {
  const node = await startNode(t.url, more);
  running.push(node);
  return node;
}

function forget(node: QuotaNode): void {
  running.splice(running.indexOf(node), 1);
}

async function limit(node: QuotaNode, tenantId: string, more: Partial<NewLimit>): Promise<string> {
  const input: NewLimit = {
    scope: 'tenant',
    scopeId: null,
    resource: 'tokens',
    window: 'day',
    amount: '1000',
    ...more,
  };
  const { id } = await node.quota.setQuota(tenantId, input, 'platform', cause);
  await Promise.all(running.map(({ snapshots }) => snapshots.loadAll()));
  return id;
}

const tokens = (amount: number): Amounts => ({ tokens: BigInt(amount), money: 0n });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function refusal(work: () => unknown): Promise<Problem> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** Reserves as clients do that try again on 429: on a busy machine a lease asked back may take longer than one wait. */
async function patiently(node: QuotaNode, subjects: Subjects, amount: number): Promise<Reservation> {
  for (let tries = 1; ; tries++) {
    try {
      return await node.quota.reserve(subjects, tokens(amount));
    } catch (error) {
      if (!(error instanceof Problem) || error.kind.status !== 429 || tries === 40) throw error;
    }
  }
}

/** Uses an amount the way a call does: reserve, settle, commit. */
async function call(node: QuotaNode, tenantId: string, reserve: number, use: number, keyId?: string): Promise<void> {
  const reservation = await patiently(node, keyId === undefined ? { tenantId } : { tenantId, keyId }, reserve);
  const record = callRecord(tenantId);
  await node.metering.record({ call: record, usage: [usageOf(record)], charges: reservation.settle(tokens(use)) });
}

async function used(tenantId: string, limitId: string): Promise<number> {
  const row = await t.db.forService('lease_keeper', (tx) =>
    tx.one<{ used: number }>(
      'SELECT coalesce(sum(used), 0)::bigint AS used FROM leases WHERE tenant_id = $1 AND limit_id = $2',
      [tenantId, limitId],
    ),
  );
  return row.used;
}

/** A generator of numbers in [0, 1) (mulberry32), so that a failing run can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('never over a hard limit, and all that is affordable is let in', () => {
  test.each([
    { share: 1, name: 'calls that use all they reserve' },
    { share: 0.3, name: 'calls that use 30 % of what they reserve' },
  ])('$name', async ({ share }) => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9));
    process.stdout.write(`seed ${seed}\n`);
    const random = seeded(seed);
    const nodes = [await start(), await start(), await start()];
    const tenantId = newId();
    const reserve = 1_000;
    const budget = 100 * reserve * share;
    const id = await limit(nodes[0] as QuotaNode, tenantId, { amount: String(budget) });
    let done = 0;
    const refused = new Map<number, number>();
    const client = async () => {
      await pause(random() * 50);
      for (;;) {
        const node = nodes[Math.floor(random() * nodes.length)] as QuotaNode;
        let reservation: Reservation;
        try {
          reservation = await node.quota.reserve({ tenantId }, tokens(reserve));
        } catch (error) {
          const status = error instanceof Problem ? error.kind.status : 500;
          refused.set(status, (refused.get(status) ?? 0) + 1);
          if (status === 402) return;
          if (status !== 429) throw error;
          await pause(100 * random());
          continue;
        }
        await pause(random() * 20);
        const record = callRecord(tenantId);
        await node.metering.record({
          call: record,
          usage: [],
          charges: reservation.settle(tokens(reserve * share)),
        });
        done++;
        return;
      }
    };
    await Promise.all(Array.from({ length: 300 }, client));
    expect(await used(tenantId, id), `seed ${seed}`).toBe(done * reserve * share);
    expect(done * reserve * share, `seed ${seed}`).toBeLessThanOrEqual(budget);
    // Affordable: each call needs its whole reservation to be left when it comes.
    const affordable = Math.floor((budget - reserve) / (reserve * share) + 1e-9) + 1;
    expect(done, `seed ${seed}, ${JSON.stringify([...refused])}`).toBeGreaterThanOrEqual(Math.floor(0.95 * affordable));
    expect(refused.get(402)).toBe(300 - done);
  });
});

describe('under many limits at once', () => {
  test('random calls on three nodes, one of which is lost: no limit is passed, counters are what was committed', async () => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9));
    process.stdout.write(`seed ${seed}\n`);
    const random = seeded(seed);
    const pick = (n: number) => Math.floor(random() * n);
    const nodes = [await start(), await start(), await start()];
    const tenantId = newId();
    const keys = [newId(), newId(), newId()];
    const agents = [newId(), newId()];
    const first = nodes[0] as QuotaNode;
    const ids: string[] = [
      await limit(first, tenantId, { amount: '40000' }),
      await limit(first, tenantId, { resource: 'money', window: 'month', amount: '0.03' }),
      await limit(first, tenantId, { resource: 'concurrency', window: 'none', amount: '12' }),
    ];
    for (const scopeId of keys)
      ids.push(await limit(first, tenantId, { scope: 'key', scopeId, window: 'month', amount: '15000' }));
    for (const scopeId of agents) ids.push(await limit(first, tenantId, { scope: 'agent', scopeId, amount: '18000' }));
    const committed = { tokens: 0, money: 0, calls: 0 };
    let open = 0;
    let mostOpen = 0;
    const client = async (n: number, patience: number) => {
      for (let tries = 0; tries < patience; tries++) {
        const at = pick(nodes.length);
        const node = nodes[at] as QuotaNode;
        const lost = node === nodes[2] && n >= 150 && n % 10 === 0;
        const subjects = { tenantId, keyId: keys[n % 3] as string, agentId: agents[pick(2)] as string };
        const amounts = { tokens: BigInt(1 + pick(400)), money: BigInt(1 + pick(300)) };
        let reservation: Reservation;
        try {
          reservation = await node.quota.reserve(subjects, amounts);
        } catch (error) {
          const status = error instanceof Problem ? error.kind.status : 500;
          if (status === 402) return;
          if (status !== 429) throw error;
          await pause(30 * random());
          continue;
        }
        mostOpen = Math.max(mostOpen, ++open);
        await pause(random() * 5);
        const used = {
          tokens: BigInt(pick(Number(amounts.tokens) + 1)),
          money: BigInt(pick(Number(amounts.money) + 1)),
        };
        if (lost) {
          // Never settled: its process dies.
          open--;
          return;
        }
        open--;
        const charges = reservation.settle(used);
        await node.metering.record({ call: callRecord(tenantId), usage: [], charges });
        committed.tokens += Number(used.tokens);
        committed.money += Number(used.money);
        committed.calls++;
        return;
      }
    };
    await Promise.all(Array.from({ length: 300 }, (_, n) => client(n, 20)));
    const lost = nodes.pop() as QuotaNode;
    forget(lost);
    await lost.kill();
    await Promise.all(Array.from({ length: 100 }, (_, n) => client(n, 3)));
    expect(committed.calls, `seed ${seed}`).toBeGreaterThan(100);
    expect(mostOpen, `seed ${seed}`).toBeLessThanOrEqual(12);
    const { data } = await first.quota.getUsage(tenantId, {}, undefined, 50);
    expect(data).toHaveLength(ids.length);
    for (const each of data) {
      const amount = each.resource === 'money' ? each.amount / 1e6 : each.amount;
      expect(Number(each.used), `${each.scope} ${each.resource}, seed ${seed}`).toBeLessThanOrEqual(amount);
    }
    const sumOf = (scope: string, resource: string) =>
      data
        .filter((each) => each.scope === scope && each.resource === resource)
        .reduce((sum, each) => sum + Number(each.used), 0);
    expect(sumOf('tenant', 'tokens')).toBe(committed.tokens);
    expect(sumOf('key', 'tokens')).toBe(committed.tokens);
    expect(sumOf('agent', 'tokens')).toBe(committed.tokens);
    expect(sumOf('tenant', 'money')).toBeCloseTo(committed.money / 1e6, 9);
  });
});

describe('refusals', () => {
  test('asking whether something would be let in takes nothing, and names the limit in its way', async () => {
    const node = await start();
    const tenantId = newId();
    const id = await limit(node, tenantId, { amount: '100' });
    await call(node, tenantId, 90, 90);
    const ask = (tokens: bigint) => node.quota.checkQuota({ tenantId }, { tokens, money: 0n });
    expect(await ask(10n)).toEqual({ allowed: true, limit: undefined });
    expect(await ask(11n)).toMatchObject({ allowed: false, limit: { id, resource: 'tokens', remaining: '10' } });
    expect(await node.quota.checkQuota({ tenantId: newId() }, { tokens: 11n, money: 0n })).toMatchObject({
      allowed: true,
    });
    expect(await used(tenantId, id)).toBe(90);
  });

  test('spent is 402 and not to be retried; the problem names the limit, what remains and when it resets', async () => {
    const node = await start();
    const tenantId = newId();
    const id = await limit(node, tenantId, { amount: '100' });
    await call(node, tenantId, 90, 90);
    const problem = await refusal(() => patiently(node, { tenantId }, 20));
    expect(problem.kind.status).toBe(402);
    expect(problem.kind.openai).toEqual({ type: 'insufficient_quota', code: 'insufficient_quota' });
    expect(problem.details.headers).toEqual({ 'x-should-retry': 'false' });
    expect(problem.details.extra).toMatchObject({
      scope: 'tenant',
      resource: 'tokens',
      window: 'day',
      remaining: '10',
    });
    expect(String(problem.details.extra?.['limit'])).toMatch(/^lim_/);
    expect(Date.parse(String(problem.details.extra?.['resetsAt']))).toBeGreaterThan(Date.now());
    // What is smaller still fits, and the refused call took nothing.
    await call(node, tenantId, 10, 10);
    expect(await used(tenantId, id)).toBe(100);
  });

  test('blocked only by open reservations is 429 with Retry-After, and goes on when one ends within the wait', async () => {
    const node = await start();
    const tenantId = newId();
    await limit(node, tenantId, { amount: '100' });
    const open = await patiently(node, { tenantId }, 80);
    const problem = await refusal(() => node.quota.reserve({ tenantId }, tokens(50)));
    expect(problem.kind).toMatchObject({ status: 429, type: 'budget-reserved' });
    expect(problem.details.headers).toEqual({ 'retry-after': '1' });
    const waiting = node.quota.reserve({ tenantId }, tokens(50));
    expect(waiting).toBeInstanceOf(Promise);
    await pause(20);
    open.release();
    expect((await waiting).reserved.tokens).toBe(50n);
  });

  test('several limits are taken all or none', async () => {
    const node = await start();
    const tenantId = newId();
    const keyId = newId();
    await limit(node, tenantId, { amount: '1000' });
    await limit(node, tenantId, { scope: 'key', scopeId: keyId, amount: '100', window: 'month' });
    await call(node, tenantId, 100, 100, keyId);
    const problem = await refusal(() => patiently(node, { tenantId, keyId }, 10));
    expect(problem.details.extra).toMatchObject({ scope: 'key', window: 'month', remaining: '0' });
    // Nothing of the tenant's limit is lost by the refusal: all 900 can be used by others.
    for (let i = 0; i < 9; i++) await call(node, tenantId, 100, 100);
    expect((await refusal(() => patiently(node, { tenantId }, 1))).kind.status).toBe(402);
  });

  test('concurrency slots of one limit are shared by the nodes and come back', async () => {
    const [a, b] = [await start(), await start()];
    const tenantId = newId();
    await limit(a, tenantId, { resource: 'concurrency', window: 'none', amount: '4' });
    const held = await Promise.all([1, 2].flatMap(() => [a, b].map((node) => patiently(node, { tenantId }, 5))));
    const problem = await refusal(() => b.quota.reserve({ tenantId }, tokens(5)));
    expect(problem.kind).toMatchObject({ status: 429, type: 'concurrency-limited' });
    // All slots of one node go to the other.
    held[0]?.release();
    held[2]?.settle(tokens(5));
    const again = [await patiently(b, { tenantId }, 1), await patiently(b, { tenantId }, 1)];
    expect((await refusal(() => a.quota.reserve({ tenantId }, tokens(5)))).kind.status).toBe(429);
    for (const each of [...held, ...again]) each.release();
  });
});

describe('leases', () => {
  test('a warm reservation is synchronous and asks no database; settling twice counts once', async () => {
    const node = await start();
    const tenantId = newId();
    await limit(node, tenantId, { amount: '1000000' });
    await call(node, tenantId, 10, 10);
    const warm = node.quota.reserve({ tenantId }, tokens(10));
    expect(warm).not.toBeInstanceOf(Promise);
    const reservation = warm as Reservation;
    expect(reservation.settle(tokens(4))).toHaveLength(1);
    expect(reservation.settle(tokens(4))).toHaveLength(0);
    expect(node.quota.reserve({ tenantId: newId() }, tokens(10))).not.toBeInstanceOf(Promise);
  });

  test('a lease is at most a quarter of an equal part of what remains', async () => {
    await t.db.forService('lease_keeper', (tx) => tx.execute('UPDATE lease_holders SET ended = true'));
    const [a] = [await start(), await start()];
    const tenantId = newId();
    const id = await limit(a, tenantId, { amount: '80000' });
    await Promise.all(running.map(({ keeper }) => keeper.tick()));
    (await patiently(a, { tenantId }, 10)).release();
    const row = await t.db.forService('lease_keeper', (tx) =>
      tx.one<{ granted: number }>('SELECT granted FROM leases WHERE limit_id = $1', [id]),
    );
    expect(row.granted).toBe(10_000);
  });

  test('what one node holds free is asked back for another', async () => {
    // Its clock stands still, so that nothing is given back for lying idle.
    const clock = new TestClock(Temporal.Now.instant().toString(), 'test');
    const [a, b] = [await start({ clock }), await start()];
    const tenantId = newId();
    await limit(a, tenantId, { amount: '100' });
    // `a` is left with 60 free after this.
    (await patiently(a, { tenantId }, 60)).release();
    expect((await patiently(b, { tenantId }, 90)).reserved.tokens).toBe(90n);
  });

  test('a lost node blocks what it reserved until its leases expire; then only what it did not use returns', async () => {
    const [a, b] = [await start({ staleGraceSeconds: 0 }), await start({ staleGraceSeconds: 0 })];
    const tenantId = newId();
    const id = await limit(a, tenantId, { amount: '100' });
    await call(a, tenantId, 30, 30);
    await patiently(a, { tenantId }, 50);
    await a.kill();
    forget(a);
    expect((await refusal(() => b.quota.reserve({ tenantId }, tokens(60)))).kind.status).toBe(429);
    // As if the ten seconds of its lease were over in the database.
    await expire(a.book.holder.id);
    await b.keeper.tick();
    (await patiently(b, { tenantId }, 70)).release();
    expect((await refusal(() => patiently(b, { tenantId }, 71))).kind.status).toBe(402);
    expect(await used(tenantId, id)).toBe(30);
  });

  test('a holder that was ended begins anew and never spends what it held; its open calls still count', async () => {
    const [a, b] = [await start({ ticking: false }), await start({ ticking: false })];
    const tenantId = newId();
    const id = await limit(a, tenantId, { amount: '100' });
    const open = await patiently(a, { tenantId }, 40);
    await expire(a.book.holder.id);
    await b.keeper.tick();
    (await patiently(b, { tenantId }, 100)).release();
    const before = a.book.holder.id;
    await a.keeper.tick();
    expect(a.book.holder.id).not.toBe(before);
    const record = callRecord(tenantId);
    await a.metering.record({ call: record, usage: [], charges: open.settle(tokens(40)) });
    expect(await used(tenantId, id)).toBe(40);
    await b.keeper.tick();
    expect((await refusal(() => patiently(a, { tenantId }, 61))).kind.status).toBe(402);
  });

  test('the holder stops before the database would end its leases', async () => {
    const clock = new TestClock('2026-11-22T10:00:00Z', 'test');
    const node = await start({ clock, staleGraceSeconds: 60, ticking: false });
    const tenantId = newId();
    await limit(node, tenantId, { amount: '1000' });
    (await patiently(node, { tenantId }, 10)).release();
    clock.advance({ seconds: 64 });
    expect(node.quota.reserve({ tenantId }, tokens(10))).not.toBeInstanceOf(Promise);
    clock.advance({ seconds: 2 });
    // A renewal later it goes on.
    const waiting = node.quota.reserve({ tenantId }, tokens(10));
    expect(waiting).toBeInstanceOf(Promise);
    (await waiting).release();
    // A suspended machine's monotonic clock stands still: the wall clock stops the holder too.
    clock.jump('2026-11-22T10:05:00Z');
    const late = node.quota.reserve({ tenantId }, tokens(10));
    expect(late).toBeInstanceOf(Promise);
    (await late).release();
  });

  test('idle leases are given back and forgotten', async () => {
    const clock = new TestClock('2026-11-22T10:00:00Z', 'test');
    const node = await start({ clock, ticking: false });
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) {
      const tenantId = newId();
      ids.push(await limit(node, tenantId, { amount: '1000' }));
      await call(node, tenantId, 10, 7);
    }
    expect(node.book.size).toBe(20);
    clock.advance({ seconds: 6 });
    await node.keeper.tick();
    expect(node.book.size).toBe(0);
    const rows = await t.db.forService('lease_keeper', (tx) =>
      tx.query<{ granted: number; used: number }>('SELECT granted, used FROM leases WHERE limit_id = ANY ($1)', [ids]),
    );
    expect(rows).toEqual(ids.map(() => ({ granted: 7, used: 7 })));
  });
});

describe('windows and changes', () => {
  test('a day ends at midnight of the zone; a call across it counts for the day it was let in', async () => {
    const clock = new TestClock('2026-11-22T15:59:30Z', 'test');
    const tenantId = newId();
    const node = await start({ clock, ticking: false, zones: new Map([[tenantId, 'Asia/Shanghai']]) });
    const id = await limit(node, tenantId, { amount: '100' });
    const across = await patiently(node, { tenantId }, 100);
    expect((await refusal(() => node.quota.reserve({ tenantId }, tokens(1)))).kind.status).toBe(429);
    clock.advance({ seconds: 31 });
    (await patiently(node, { tenantId }, 100)).release();
    const record = callRecord(tenantId);
    await node.metering.record({ call: record, usage: [], charges: across.settle(tokens(100)) });
    const rows = await t.db.forService('lease_keeper', (tx) =>
      tx.query('SELECT window_start, used FROM leases WHERE limit_id = $1 AND used > 0', [id]),
    );
    expect(rows).toEqual([{ windowStart: '2026-11-21T16:00:00Z', used: 100 }]);
    const page = await node.quota.getUsage(tenantId, {}, undefined, 10);
    expect(page.data[0]).toMatchObject({ used: '0', remaining: '100', resetsAt: '2026-11-23T16:00:00Z' });
  });

  test('a changed time zone gives nothing twice', async () => {
    const clock = new TestClock('2026-11-22T12:00:00Z', 'test');
    const tenantId = newId();
    const zones = new Map([[tenantId, 'UTC']]);
    const [a, b] = [await start({ clock, ticking: false, zones }), await start({ clock, ticking: false, zones })];
    await limit(a, tenantId, { amount: '100' });
    await call(a, tenantId, 100, 100);
    zones.set(tenantId, 'Asia/Shanghai');
    expect((await refusal(() => patiently(b, { tenantId }, 1))).kind.status).toBe(402);
  });

  test('a limit made, raised, lowered, switched off and deleted in mid-flight', async () => {
    const [a, b] = [await start(), await start()];
    const nodes = [a, b];
    const tenantId = newId();
    const refresh = () => Promise.all(nodes.map(({ snapshots }) => snapshots.loadAll()));
    const early = await patiently(a, { tenantId }, 500);
    const id = await limit(a, tenantId, { amount: '100' });
    // Let in before there was a limit: counted nowhere, and no harm.
    expect(early.settle(tokens(500))).toEqual([]);
    await call(a, tenantId, 50, 50);
    await a.quota.updateQuota(tenantId, id, { amount: '200' }, 'platform', cause);
    await refresh();
    await call(b, tenantId, 120, 100);
    const open = await patiently(a, { tenantId }, 40);
    await a.quota.updateQuota(tenantId, id, { amount: '180' }, 'platform', cause);
    await refresh();
    expect((await refusal(() => b.quota.reserve({ tenantId }, tokens(20)))).kind.status).toBe(429);
    open.release();
    await call(b, tenantId, 20, 20);
    await a.quota.updateQuota(tenantId, id, { enabled: false }, 'platform', cause);
    await refresh();
    (await patiently(a, { tenantId }, 5_000)).release();
    await a.quota.updateQuota(tenantId, id, { enabled: true }, 'platform', cause);
    await refresh();
    expect((await refusal(() => patiently(a, { tenantId }, 20))).kind.status).toBe(402);
    const last = await patiently(a, { tenantId }, 10);
    await a.quota.deleteQuota(tenantId, id, 'platform', cause);
    // `b` has not heard of it yet: what the database says counts.
    expect((await patiently(b, { tenantId }, 25)).reserved.tokens).toBe(25n);
    const record = callRecord(tenantId);
    await a.metering.record({ call: record, usage: [], charges: last.settle(tokens(10)) });
    expect((await a.metering.getCall(tenantId, record.id)).id).toBe(record.id);
  });

  test('a lowered limit holds at once where a lease was warm', async () => {
    const [a, b] = [await start({ ticking: false }), await start({ ticking: false })];
    const tenantId = newId();
    const id = await limit(a, tenantId, { amount: '100000' });
    await call(a, tenantId, 100, 100);
    expect(a.quota.reserve({ tenantId }, tokens(1))).not.toBeInstanceOf(Promise);
    await b.quota.updateQuota(tenantId, id, { amount: '100' }, 'platform', cause);
    await a.snapshots.loadAll();
    expect((await refusal(() => patiently(a, { tenantId }, 1))).kind.status).toBe(402);
  });

  test('tenants set limits of keys and agents, operators all; no two of a kind; another tenant sees 404', async () => {
    const node = await start();
    const [tenantId, other] = [newId(), newId()];
    const own: NewLimit = { scope: 'key', scopeId: newId(), resource: 'money', window: 'month', amount: '12.5' };
    const made = await node.quota.setQuota(tenantId, own, 'tenant', cause);
    expect(made).toMatchObject({ amount: 12_500_000, used: '0', remaining: '12.5' });
    expect((await refusal(() => node.quota.setQuota(tenantId, own, 'tenant', cause))).kind.type).toBe('limit-exists');
    const whole: NewLimit = { ...own, scope: 'tenant', scopeId: null };
    expect((await refusal(() => node.quota.setQuota(tenantId, whole, 'tenant', cause))).kind.status).toBe(403);
    const { id } = await node.quota.setQuota(tenantId, whole, 'platform', cause);
    expect((await refusal(() => node.quota.deleteQuota(tenantId, id, 'tenant', cause))).kind.status).toBe(403);
    for (const work of [
      () => node.quota.updateQuota(other, made.id, { amount: '1' }, 'tenant', cause),
      () => node.quota.deleteQuota(other, made.id, 'tenant', cause),
    ]) {
      expect((await refusal(work)).kind.status).toBe(404);
    }
    expect((await node.quota.getUsage(other, {}, undefined, 10)).data).toEqual([]);
    for (const wrong of [
      { ...own, scopeId: newId(), amount: '-1' },
      { ...own, scopeId: newId(), amount: '9000000001' },
      { ...own, scopeId: newId(), window: 'second' as const },
      { ...own, scopeId: null },
      { ...own, scopeId: newId(), burst: 5 },
    ]) {
      expect((await refusal(() => node.quota.setQuota(tenantId, wrong, 'platform', cause))).kind.status).toBe(400);
    }
  });
});

describe('requests per second', () => {
  test('two nodes with unequal demand let through what the limit says, within 10 %', async () => {
    const clock = new TestClock('2026-11-22T10:00:00Z', 'test');
    const nodes = [await start({ clock, ticking: false }), await start({ clock, ticking: false })];
    const tenantId = newId();
    await limit(nodes[0] as QuotaNode, tenantId, { resource: 'requests', window: 'second', amount: '100', burst: 100 });
    await Promise.all(nodes.map(({ keeper }) => keeper.tick()));
    let passed = 0;
    const seconds = 20;
    for (let ms = 0; ms < seconds * 1000; ms += 5) {
      clock.advance({ milliseconds: 5 });
      // 600/s on one node, 100/s on the other; they change places half way.
      const [busy, calm] = ms < seconds * 500 ? [0, 1] : [1, 0];
      for (let i = 0; i < 3; i++) if (nodes[busy]?.quota.takeRequest({ tenantId })?.allowed) passed++;
      if (ms % 10 === 0 && nodes[calm]?.quota.takeRequest({ tenantId })?.allowed) passed++;
      for (const [i, node] of nodes.entries()) {
        if (ms % 1000 !== i * 400) continue;
        // The database's clock runs on its own: what it thinks has passed since the last report is set here.
        await t.db.forService('lease_keeper', (tx) =>
          tx.execute(`UPDATE rate_buckets SET at = clock_timestamp() - $2 * interval '1 ms' WHERE tenant_id = $1`, [
            tenantId,
            i === 0 ? 600 : 400,
          ]),
        );
        await node.keeper.tick();
      }
    }
    const allowed = 100 + 100 * seconds;
    expect(passed).toBeGreaterThan(allowed * 0.9);
    expect(passed).toBeLessThan(allowed * 1.1);
    const refused = nodes[1]?.quota.takeRequest({ tenantId });
    expect(refused).toMatchObject({ allowed: false, limit: 100, remaining: 0 });
    expect(refused?.resetSeconds).toBeGreaterThan(0);
  });

  test('below the limit nothing is refused, wherever it comes', async () => {
    const clock = new TestClock('2026-11-22T10:00:00Z', 'test');
    const nodes = [await start({ clock, ticking: false }), await start({ clock, ticking: false })];
    const tenantId = newId();
    await limit(nodes[0] as QuotaNode, tenantId, { resource: 'requests', window: 'second', amount: '50' });
    await Promise.all(nodes.map(({ keeper }) => keeper.tick()));
    for (let ms = 0; ms < 5_000; ms += 25) {
      clock.advance({ milliseconds: 25 });
      expect(nodes[0]?.quota.takeRequest({ tenantId }), `after ${ms} ms`).toMatchObject({ allowed: true });
      if (ms % 1000 === 0) {
        await t.db.forService('lease_keeper', (tx) =>
          tx.execute(`UPDATE rate_buckets SET at = clock_timestamp() - interval '1 s' WHERE tenant_id = $1`, [
            tenantId,
          ]),
        );
        await nodes[0]?.keeper.tick();
      }
    }
    expect(nodes[0]?.quota.takeRequest({ tenantId: newId() })).toBeUndefined();
  });
});

async function expire(holderId: string): Promise<void> {
  await t.db.forService('lease_keeper', (tx) =>
    tx.execute(`UPDATE lease_holders SET expires_at = clock_timestamp() - interval '1 ms' WHERE holder_id = $1`, [
      holderId,
    ]),
  );
}
