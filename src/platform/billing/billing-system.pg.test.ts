import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import { newId } from '#kernel/ids';
import type { Event } from '#kernel/log';
import { createLogger } from '#kernel/logger';
import { Snapshots } from '#kernel/snapshot';
import { createMeteringModule, type UsageEvent } from '#metering';
import { type TestDatabase, testDatabase } from '#test/database';

import { type BillingModule, createBillingModule } from './module.ts';
import type { TenantFacts } from './ports.ts';
import type { Price } from './price.ts';

const cause = systemCause('test');
const errors: string[] = [];
const log = createLogger('error', {}, { write: (line) => errors.push(line) });
const tenants = new Map<string, TenantFacts>();
const events: Event[] = [];
let t: TestDatabase;
let snapshots: Snapshots;
let clock: TestClock;
let module: BillingModule;
let metering: ReturnType<typeof createMeteringModule>;
let stop: () => Promise<void>;
let serial = 0;

beforeAll(async () => {
  t = await testDatabase();
  // In the past of the database's clock, without whose word no month is over.
  clock = new TestClock('2025-11-10T12:00:00Z', process.env['NODE_ENV']);
  metering = createMeteringModule({
    db: t.db,
    clock,
    log,
    nodeId: newId(),
    charges: { charge: () => ({ name: '', text: 'SELECT', values: [] }), leasesGone: async () => new Set() },
    tenants,
    linesOf: async () => null,
    config: { staleGraceSeconds: 60, commitWindowMs: 1, usageDays: 400, spoolFolder: undefined, spoolMaxBytes: 0 },
  });
  stop = (await metering.start?.('front')) as () => Promise<void>;
  t.db.onCommit(async (appended) => {
    events.push(...appended);
    await snapshots.apply(appended);
  });
});

beforeEach(async () => {
  clock = new TestClock('2025-11-10T12:00:00Z', process.env['NODE_ENV']);
  module = await start();
  events.length = 0;
  errors.length = 0;
});

afterAll(async () => {
  await stop?.();
  await t?.close();
});

/** A process with its own memory. */
async function start(): Promise<BillingModule> {
  snapshots = new Snapshots(t.db);
  const usage = metering.metering;
  const made = createBillingModule({ db: t.db, snapshots, clock, log, tenants, usage, agentName: () => undefined });
  await snapshots.loadAll();
  return made;
}

/** A tenant as tenancy makes it: known in memory, told of by an event. */
async function tenant(facts: Partial<TenantFacts> = {}): Promise<string> {
  const one = { id: newId(), status: 'active', timeZone: 'UTC', currency: 'USD', demo: false, ...facts };
  tenants.set(one.id, one);
  await hear('created', one, { after: one });
  return one.id;
}

async function hear(verb: string, { id, demo }: TenantFacts, data: Record<string, unknown>): Promise<void> {
  await module.subscribers?.[0]?.handle({
    id: newId(),
    seq: 1,
    version: 1,
    tenantId: id,
    type: `tenancy.tenant.${verb}`,
    actor: { kind: 'system', id: 'test' },
    subject: { kind: 'tenant', id },
    occurredAt: clock.now().toString(),
    demo,
    data,
  });
}

/** An id of version 7 that carries a time. */
function idAt(time: string): string {
  const ms = Temporal.Instant.from(time).epochMilliseconds.toString(16).padStart(12, '0');
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7000-8000-${(++serial).toString(16).padStart(12, '0')}`;
}

/** Usage as the gateway and runs write it, with the list price of the moment. */
async function use(tenantId: string, at: string, usage: Partial<UsageEvent> = {}): Promise<void> {
  const { type = 'agent.run', dimensions = {}, quantities = { runs: 1 } } = usage;
  const listed = module.priceOf(tenantId, type, dimensions, quantities);
  const row: UsageEvent = {
    tenantId,
    id: idAt(at),
    source: 'test',
    type,
    dimensions,
    quantities,
    demo: tenants.get(tenantId)?.demo ?? false,
    mode: 'live',
    ...listed,
    ...usage,
  };
  await metering.metering.recordUsage([{ usage: row, charges: [] }]);
}

const call = (model: string, input: number, output: number, more: Partial<UsageEvent> = {}): Partial<UsageEvent> => ({
  type: 'model.call',
  dimensions: { model, provider: 'x', key: newId() },
  quantities: { input_tokens: input, cached_input_tokens: 0, output_tokens: output, reasoning_tokens: 0 },
  ...more,
});

const million = (unit: string): Price => ({ model: 'package', unit, per: '1000000', roundUp: false });
const runPrice = (unit: string) => [{ meter: 'agent.run.runs', price: { model: 'per_unit', unit } as Price }];

async function planFor(
  tenantId: string,
  prices: Parameters<typeof module.plans.createPlan>[0]['prices'],
  currency = 'USD',
) {
  const plan = await module.plans.createPlan(
    { name: 'Own', currency, demo: false, isDefault: false, recurringFee: null, prices },
    cause,
  );
  await module.billing.manageSubscription(tenantId, plan.id, cause);
  return plan;
}

describe('plans and subscriptions', () => {
  it('says of a tenant on no plan that what it uses has no price, once', () => {
    const nobody = newId();
    for (let i = 0; i < 3; i++) expect(module.priceOf(nobody, 'agent.run', {}, { runs: 1 })).toBe(null);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(nobody);
  });

  it('puts a new tenant on the default plan of its currency, once', async () => {
    const usd = await tenant();
    const demo = await tenant({ demo: true, currency: 'CNY' });
    const yen = await tenant({ currency: 'JPY' });
    const names = async (id: string) => {
      const { plan } = await module.billing.currentPlan(id);
      return [plan.name, plan.currency];
    };
    expect([await names(usd), await names(demo), await names(yen)]).toEqual([
      ['Standard', 'USD'],
      ['Demo', 'CNY'],
      ['Standard', 'JPY'],
    ]);
    const before = await module.plans.subscriptionsOf(usd, 'tenant');
    await hear('created', tenants.get(usd) as TenantFacts, { after: { currency: 'USD' } });
    expect(await module.plans.subscriptionsOf(usd, 'tenant')).toEqual(before);
    const told = events.filter(({ type, tenantId }) => type === 'billing.subscription.changed' && tenantId === usd);
    expect(told).toHaveLength(1);
    expect(module.priceOf(demo, 'agent.run', {}, { runs: 2 })).toEqual({ price: '0.3', currency: 'CNY' });
    expect(module.priceOf(usd, 'agent.run', {}, { runs: 2 })).toEqual({ price: '0', currency: 'USD' });
    expect(module.priceOf(usd, 'model.call', { model: 'openai/x' }, { input_tokens: 9 })).toBeNull();
    expect(module.priceOf(newId(), 'agent.run', {}, { runs: 1 })).toBeNull();
  });

  it('makes each default plan once, however many ask at the same time', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, () => module.plans.ensureDefaultPlan('SEK', false, cause)));
    expect(new Set(ids).size).toBe(1);
    expect(events.filter(({ type }) => type === 'billing.plan.created')).toHaveLength(1);
  });

  it('prices by the new version at once, in every process, and keeps the old versions', async () => {
    const id = await tenant();
    const plan = await planFor(id, runPrice('1'));
    const other = await start();
    clock.advance({ hours: 1 });
    const [kept] = plan.prices;
    const changed = await module.plans.changePlan(
      plan.id,
      { prices: runPrice('2').map((price) => ({ ...price, id: kept?.id as string })) },
      cause,
    );
    expect([changed.version, changed.prices[0]?.id]).toEqual([2, kept?.id]);
    expect(other.priceOf(id, 'agent.run', {}, { runs: 1 })?.price).toBe('2');
    expect((await module.billing.currentPlan(id)).plan).toMatchObject({ version: 2, newest: 2 });
    expect(events.at(-1)).toMatchObject({ type: 'billing.plan.changed', data: { moved: 1, before: { version: 1 } } });
    await module.plans.changePlan(plan.id, { prices: runPrice('3'), appliesTo: 'new' }, cause);
    expect(other.priceOf(id, 'agent.run', {}, { runs: 1 })?.price).toBe('2');
    expect((await module.billing.currentPlan(id)).plan).toMatchObject({ version: 2, newest: 3 });
    // Nobody, operators neither, changes a version.
    await expect(
      t.db.forPlatform((tx) => tx.execute("UPDATE plan_versions SET prices = '[]' WHERE plan_id = $1", [plan.id])),
    ).rejects.toThrow('permission denied');
  });

  it('refuses plans that cannot be rated, with every place', async () => {
    const bad = {
      name: 'Bad',
      currency: 'XXX',
      demo: false,
      isDefault: false,
      recurringFee: '-1',
      prices: [...runPrice('-1'), ...runPrice('1')],
    };
    const refused = module.plans.createPlan(bad, cause);
    await expect(refused).rejects.toMatchObject({
      details: {
        errors: [
          { pointer: '/currency' },
          { pointer: '/recurringFee' },
          { pointer: '/prices/0/price/unit' },
          { pointer: '/prices/1' },
        ],
      },
    });
  });

  it('shows a tenant the plans it is or was on, and no others', async () => {
    const [one, two] = [await tenant(), await tenant()];
    const [first, second] = [await planFor(one, runPrice('1')), await planFor(one, runPrice('2'))];
    const foreign = await planFor(two, runPrice('3'));
    const seen = await t.db.forTenant(one, (tx) =>
      tx.query<{ id: string; prices: unknown }>(
        'SELECT p.id, v.prices FROM plans p JOIN plan_versions v ON v.plan_id = p.id',
      ),
    );
    expect(seen.map(({ id }) => id)).toEqual(expect.arrayContaining([second.id]));
    expect(seen.map(({ id }) => id)).not.toContain(foreign.id);
    expect(first.id).not.toBe(second.id);
    await expect(
      t.db.forTenant(one, (tx) => tx.execute('UPDATE subscriptions SET plan_version = 1 WHERE tenant_id = $1', [one])),
    ).rejects.toThrow('permission denied');
  });

  it('changes the currency with a month: at once when nothing was used in it', async () => {
    const id = await tenant();
    const facts = tenants.get(id) as TenantFacts;
    const euro = { ...facts, currency: 'EUR' };
    tenants.set(id, euro);
    await hear('updated', euro, { before: facts, after: euro });
    expect((await module.billing.generateBill(id)).currency).toBe('EUR');
    await use(id, '2025-11-10T11:00:00Z');
    const plan = await planFor(id, runPrice('1'));
    expect((await module.billing.generateBill(id)).currency).toBe('EUR');
    expect(module.priceOf(id, 'agent.run', {}, { runs: 1 })?.currency).toBe('EUR');
    const last = (await module.plans.subscriptionsOf(id, 'tenant')).at(-1);
    expect([last?.plan.id, last?.subscription.fromAt]).toEqual([plan.id, '2025-12-01T00:00:00Z']);
    clock.jump('2025-12-01T00:00:00Z');
    expect(module.priceOf(id, 'agent.run', {}, { runs: 1 })).toEqual({ price: '1', currency: 'USD' });
  });
});

describe('the running invoice', () => {
  it('is the rating of the month’s live usage, in the tenant’s zone', async () => {
    const id = await tenant({ timeZone: 'Asia/Shanghai' });
    await planFor(id, [
      { meter: 'model.call.input_tokens', groupBy: ['model'], price: million('2') },
      { meter: 'model.call.output_tokens', price: { ...million('8'), included: '100000' } },
    ]);
    await use(id, '2025-10-31T15:59:59.999Z', call('a/x', 7_000_000, 0));
    await use(id, '2025-10-31T16:00:00Z', call('a/x', 1_000_000, 100_000));
    await use(id, '2025-11-10T11:00:00Z', call('a/x', 500_000, 50_000));
    await use(id, '2025-11-10T11:00:00Z', call('b/y', 250_000, 0));
    await use(id, '2025-11-10T11:00:00Z', call('a/x', 9_000_000, 0, { mode: 'test' }));
    await use(id, '2025-11-30T16:00:00Z', call('a/x', 3_000_000, 0));
    const invoice = await module.billing.explainBill(id);
    expect([invoice.period.start, invoice.period.end].map(String)).toEqual([
      '2025-10-31T16:00:00Z',
      '2025-11-30T16:00:00Z',
    ]);
    expect(invoice.lines.map((line) => [line.dimensions, line.quantity, line.included, line.amount])).toEqual([
      [{ model: 'a/x' }, '1500000', '0', '3.00'],
      [{ model: 'b/y' }, '250000', '0', '0.50'],
      [{}, '150000', '100000', '0.40'],
    ]);
    expect(invoice.total).toBe('3.90');
    expect(invoice.explained).toMatchObject({
      listTotal: '4.70',
      difference: '-0.8',
      parts: { includedAndTiers: '-0.8', otherPrices: '0', rounding: '0' },
    });
    const usage = await module.billing.calculateUsage(id);
    expect(
      usage.find(({ meter, dimensions }) => meter.endsWith('.input_tokens') && dimensions['model'] === 'b/y')?.quantity,
    ).toBe('250000');
  });

  it('rates each unit by the plan of its time', async () => {
    const id = await tenant();
    clock.jump('2025-11-01T00:00:00Z');
    const plan = await planFor(id, runPrice('1'));
    await use(id, '2025-11-05T00:00:00Z');
    clock.jump('2025-11-10T12:00:00Z');
    await module.plans.changePlan(plan.id, { prices: runPrice('10'), recurringFee: '3.5' }, cause);
    await use(id, '2025-11-11T00:00:00Z');
    const { lines, total } = await module.billing.generateBill(id);
    expect(lines.map(({ kind, plan: { version }, amount }) => [kind, version, amount])).toEqual([
      ['recurring', 2, '3.50'],
      ['usage', 1, '1.00'],
      ['usage', 2, '10.00'],
    ]);
    expect(total).toBe('14.50');
  });

  it('names usage without a price, and says 409 to a tenant without a plan', async () => {
    const id = await tenant();
    await use(id, '2025-11-10T11:00:00Z', call('openai/x', 5, 5));
    const { unpriced, total } = await module.billing.generateBill(id);
    expect([unpriced.map(({ dimensions }) => dimensions), total]).toEqual([[{ model: 'openai/x' }], '0.00']);
    const bare = newId();
    tenants.set(bare, { id: bare, status: 'active', timeZone: 'UTC', currency: 'USD', demo: false });
    await expect(module.billing.generateBill(bare)).rejects.toMatchObject({ kind: { type: 'no-plan', status: 409 } });
  });
});

describe('final invoices', () => {
  const list = async (id: string) => (await module.billing.listInvoices(id, undefined, 50)).data.toReversed();

  it('are named with their lines for usage of their time, the upcoming one for usage that came late, none off the plan', async () => {
    const id = await tenant();
    const plan = await planFor(id, runPrice('1'));
    const at = '2025-11-10T13:00:00Z';
    const runs = { type: 'agent.run', dimensions: {}, quantities: { runs: '1' } };
    const named = (late: boolean, usage = runs) => module.linesOf({ tenantId: id, at, late, usage: [usage] });
    const line = { priceId: plan.prices[0]?.id, meter: 'agent.run.runs' };
    const upcoming = { id: null, status: 'upcoming', plan: plan.name, lines: [line] };
    const november = { periodStart: '2025-11-01T00:00:00Z', periodEnd: '2025-12-01T00:00:00Z' };
    const december = { periodStart: '2025-12-01T00:00:00Z', periodEnd: '2026-01-01T00:00:00Z' };
    expect(await named(false)).toEqual({ ...upcoming, ...november });
    await use(id, at);
    clock.jump('2025-12-01T00:15:00Z');
    await module.billing.finaliseDue();
    const [invoice] = await list(id);
    expect(await named(false)).toEqual({ ...upcoming, ...november, id: invoice?.id, status: 'final' });
    expect(await named(true)).toEqual({ ...upcoming, ...december });
    expect(await named(false, { ...runs, quantities: { runs: '0' } })).toMatchObject({ lines: [] });
    expect(await named(false, { ...runs, type: 'agent.external' })).toMatchObject({ lines: [] });
    expect(await module.linesOf({ tenantId: newId(), at, late: false, usage: [runs] })).toBeNull();
  });

  it('closes a month once, in the tenant’s zone, whoever is running and however often', async () => {
    const [west, east] = [await tenant({ timeZone: 'America/Los_Angeles' }), await tenant({ timeZone: 'Asia/Tokyo' })];
    for (const id of [west, east]) {
      await planFor(id, runPrice('1'));
      await use(id, '2025-11-10T13:00:00Z');
    }
    clock.jump('2025-11-30T15:14:59Z');
    await module.billing.finaliseDue();
    expect([(await list(west)).length, (await list(east)).length]).toEqual([0, 0]);
    clock.jump('2025-11-30T15:15:00Z');
    events.length = 0;
    const others = await Promise.all([start(), start(), start()]);
    const finalised = await Promise.all([module, ...others].map(({ billing }) => billing.finaliseDue()));
    expect((await list(west)).length).toBe(0);
    expect(await list(east)).toMatchObject([
      {
        number: 1,
        periodStart: '2025-10-31T15:00:00Z',
        periodEnd: '2025-11-30T15:00:00Z',
        total: '1',
        currency: 'USD',
      },
    ]);
    expect(
      events.filter(({ type, tenantId }) => type === 'billing.invoice.finalised' && tenantId === east),
    ).toHaveLength(1);
    // Those that came second found it done; none failed.
    expect(errors).toEqual([]);
    expect(finalised.reduce((a, b) => a + b)).toBeGreaterThanOrEqual(1);
    clock.jump('2025-12-01T08:15:00Z');
    await module.billing.finaliseDue();
    await module.billing.finaliseDue();
    expect((await list(west)).map(({ periodEnd }) => periodEnd)).toEqual(['2025-12-01T08:00:00Z']);
    expect((await list(east)).length).toBe(1);
    const [own] = await list(east);
    expect(await module.billing.getInvoice(east, own?.id as string)).toEqual(own);
    await expect(module.billing.getInvoice(west, own?.id as string)).rejects.toMatchObject({ kind: { status: 404 } });
  });

  it('catches up month by month after a long stop, also when one tenant cannot be billed', async () => {
    const [id, broken] = [await tenant(), await tenant({ timeZone: 'Not/AZone' })];
    await planFor(id, runPrice('1'));
    for (const at of ['2025-11-12T00:00:00Z', '2026-01-12T00:00:00Z']) await use(id, at);
    clock.jump('2026-02-01T01:00:00Z');
    await module.billing.finaliseDue();
    expect((await list(id)).map(({ number, total }) => [number, total])).toEqual([
      [1, '1'],
      [2, '0'],
      [3, '1'],
    ]);
    expect(await list(broken)).toEqual([]);
    expect(errors.every((line) => line.includes(broken))).toBe(true);
    tenants.delete(broken);
    expect((await module.billing.generateBill(id)).period.start.toString()).toBe('2026-02-01T00:00:00Z');
  });

  it('closes no month that a clock ahead of the database’s has made of time to come', async () => {
    clock.jump(Temporal.Now.instant().toString());
    const id = await tenant();
    clock.advance({ hours: 24 * 400 });
    await module.billing.finaliseDue();
    await module.billing.settle(id);
    expect(await list(id)).toEqual([]);
  });

  it('bills late usage once, on the next invoice, under the plan of its time', async () => {
    const id = await tenant();
    const plan = await planFor(id, [
      {
        meter: 'agent.run.runs',
        price: {
          model: 'graduated',
          included: '1',
          tiers: [
            { upTo: '2', unit: '1' },
            { upTo: null, unit: '0.1' },
          ],
        },
      },
    ]);
    await use(id, '2025-11-10T12:00:00Z', { quantities: { runs: 2 } });
    clock.jump('2025-12-01T00:15:00Z');
    await module.billing.finaliseDue();
    await module.plans.changePlan(plan.id, { prices: runPrice('50') }, cause);
    await use(id, '2025-11-20T00:00:00Z', { quantities: { runs: 5 }, late: true });
    await use(id, '2025-12-02T00:00:00Z');
    const upcoming = await module.billing.explainBill(id);
    expect(upcoming.lines.map((l) => [l.kind, l.start.slice(0, 7), l.quantity, l.plan.version, l.amount])).toEqual([
      ['usage', '2025-12', '1', 2, '50.00'],
      ['late', '2025-11', '5', 1, '1.40'],
    ]);
    expect(upcoming.explained.parts.late).toBe('1.4');
    clock.jump('2026-01-01T00:15:00Z');
    await module.billing.finaliseDue();
    // Still later for both months: each once more, and then no more.
    await use(id, '2025-11-21T00:00:00Z', { quantities: { runs: 10 }, late: true });
    await use(id, '2025-12-21T00:00:00Z', { late: true });
    for (const month of ['2026-02', '2026-03', '2026-04']) {
      clock.jump(`${month}-01T00:15:00Z`);
      await module.billing.finaliseDue();
    }
    expect((await list(id)).map(({ total, lines }) => [total, lines.map(({ kind }) => kind)])).toEqual([
      ['1', ['usage']],
      ['51.4', ['usage', 'late']],
      ['51', ['late', 'late']],
      ['0', []],
      ['0', []],
    ]);
  });

  it('keeps demo tenants apart: out of the platform’s list, and gone with the tenant', async () => {
    const [demo, real] = [await tenant({ demo: true, currency: 'EUR' }), await tenant()];
    for (let i = 0; i < 60; i++) await use(demo, '2025-11-10T12:00:00Z');
    clock.jump('2025-12-01T00:15:00Z');
    await module.billing.finaliseDue();
    const all = async (includeDemo: boolean) => {
      const { data } = await module.billing.listAllInvoices({ includeDemo }, undefined, 200);
      return new Set(data.map(({ tenantId }) => tenantId));
    };
    expect(await list(demo)).toMatchObject([{ total: '0.2', currency: 'EUR', demo: true }]);
    expect([(await all(false)).has(demo), (await all(true)).has(demo), (await all(false)).has(real)]).toEqual([
      false,
      true,
      true,
    ]);
    for (const id of [demo, real]) await hear('deleted', tenants.get(id) as TenantFacts, {});
    expect([(await all(true)).has(demo), (await all(true)).has(real)]).toEqual([false, true]);
  });

  it('cannot be changed', async () => {
    const id = await tenant();
    clock.jump('2025-12-01T00:15:00Z');
    await module.billing.finaliseDue();
    const change = (door: 'forPlatform' | 'forTenant') => {
      const sql = 'UPDATE invoices SET total = 0 WHERE tenant_id = $1';
      return door === 'forPlatform'
        ? t.db.forPlatform((tx) => tx.execute(sql, [id]))
        : t.db.forTenant(id, (tx) => tx.execute(sql, [id]));
    };
    await expect(change('forPlatform')).rejects.toThrow('permission denied');
    await expect(change('forTenant')).rejects.toThrow('permission denied');
  });
});

it('margins: price and cost by tenant, agent and currency, never mixed; test usage costs and brings nothing', async () => {
  const [one, demo] = [await tenant(), await tenant({ demo: true })];
  const agent = newId();
  const at = '2025-11-10T12:00:00Z';
  const row = (price: string, cost: string, costCurrency: string, more: Partial<UsageEvent> = {}) =>
    ({ price, currency: 'USD', cost, costCurrency, dimensions: { agent }, ...more }) as Partial<UsageEvent>;
  await use(one, at, row('3', '1', 'USD'));
  await use(one, at, row('2', '7', 'CNY'));
  await use(one, at, row('9', '0.5', 'USD', { mode: 'test' }));
  await use(one, at, { ...row('4', '1', 'USD'), dimensions: {} });
  await use(demo, at, row('3', '1', 'USD'));
  const filter = { from: '2025-11-10T00:00:00Z', to: '2025-11-11T00:00:00Z', tenantId: one, includeDemo: false };
  const rows = (await module.billing.margins(filter)).map(({ price, cost, ...row }) => ({
    ...row,
    price: Number(price),
    cost: Number(cost),
  }));
  expect(rows).toEqual([
    { tenantId: one, agentId: null, currency: 'USD', price: 4, cost: 1 },
    { tenantId: one, agentId: agent, currency: 'CNY', price: 0, cost: 7 },
    { tenantId: one, agentId: agent, currency: 'USD', price: 5, cost: 1.5 },
  ]);
  expect(await module.billing.margins({ ...filter, tenantId: demo })).toEqual([]);
  expect(await module.billing.margins({ ...filter, tenantId: demo, includeDemo: true })).toHaveLength(1);
});
