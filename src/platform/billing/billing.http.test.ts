import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { systemCause } from '#kernel/cause';
import { newId, parseId } from '#kernel/ids';
import { type Answer, startTestApp, type TestApp, type TestTenant } from '#test/app';

let t: TestApp;
let acme: TestTenant;
let other: TestTenant;
const operator = (method: string, path: string, body?: unknown) => t.call(t.operatorKey, method, path, body);

beforeAll(async () => {
  t = await startTestApp();
  acme = await t.tenant('Acme', { timeZone: 'Asia/Shanghai' });
  other = await t.tenant('Other');
});

afterAll(() => t.close());

const runs = (unit: string, more: object = {}) => ({
  meter: 'agent.run.runs',
  price: { model: 'per_unit', unit, ...more },
});

async function planOf(tenant: TestTenant, prices: unknown[], more: object = {}): Promise<Answer['body']> {
  const made = await operator('POST', '/v1/platform/plans', { name: 'Own', currency: 'USD', prices, ...more });
  expect(made.status).toBe(201);
  const put = await operator('PUT', `/v1/platform/tenants/${tenant.id}/subscription`, { planId: made.body['id'] });
  expect(put.status).toBe(200);
  return made.body;
}

async function run(tenant: TestTenant, agent: string, count: number): Promise<void> {
  const { metering, billing } = t.app.services;
  const row = { type: 'agent.run', dimensions: { agent }, quantities: { runs: count } };
  const listed = billing.priceOf(tenant.uuid, row.type, row.dimensions, row.quantities);
  const usage = {
    tenantId: tenant.uuid,
    id: newId(),
    source: 'test',
    ...row,
    demo: false,
    mode: 'live' as const,
    ...listed,
  };
  await metering.metering.recordUsage([{ usage, charges: [] }]);
}

/** A month that was closed before: the machine's clock does not wait for the end of this one. */
async function closed(tenant: TestTenant): Promise<void> {
  const id = newId();
  await t.app.db.forPlatform((tx) =>
    tx.execute(
      `INSERT INTO invoices (tenant_id, id, number, period_start, period_end, time_zone, currency, total, lines, counted, demo, finalised_at)
       VALUES ($1, $2, (SELECT count(*) + 1 FROM invoices WHERE tenant_id = $1), $3, $4, 'UTC', 'USD', 1.5, '[]', '[]', false, $4)`,
      [tenant.uuid, id, '2020-01-01T00:00:00Z', '2020-02-01T00:00:00Z'],
    ),
  );
}

describe('happy', () => {
  test('a tenant has its plan from its first moment, also on a node that the log has not reached', async () => {
    // Fronts alone: nobody moves the log.
    const here = await startTestApp({ role: 'front' });
    const there = await startTestApp({ role: 'front', database: here.database });
    try {
      const input = { name: 'At once', currency: 'SEK' };
      const made = await here.call(here.operatorKey, 'POST', '/v1/platform/tenants', input);
      const tenantId = parseId('tenant', String(made.body['id'])) as string;
      const priceOn = (node: TestApp) =>
        node.app.services.billing.priceOf(tenantId, 'agent.run', { agent: newId() }, { runs: 1 });
      expect(priceOn(here)).toEqual({ price: '0', currency: 'SEK' });
      const path = `/v1/platform/tenants/${made.body['id']}/subscription`;
      const plan = await here.call(here.operatorKey, 'GET', path);
      expect([plan.status, plan.body]).toMatchObject([200, { plan: { name: 'Standard', currency: 'SEK' } }]);
      expect(priceOn(there)).toBe(null);
      const { secret } = await here.app.services.auth.keys.createKey(
        tenantId,
        { name: 'first', role: 'owner' },
        systemCause('test'),
      );
      expect((await there.call(secret, 'GET', '/v1/plan')).body).toMatchObject({ plan: plan.body['plan'] });
      expect(priceOn(there)).toEqual({ price: '0', currency: 'SEK' });
    } finally {
      await there.close();
      await here.close();
    }
  });

  test('a plan with every kind of price is made, read, listed and changed as a new version', async () => {
    const agent = 'agt_01m81x081pe00bzdk2kknyq7wt';
    const prices = [
      runs('0.02', { included: '10' }),
      { meter: 'agent.run.runs', where: { agent }, price: { model: 'per_unit', unit: '1' } },
      {
        meter: 'model.call.input_tokens',
        where: { model: ['a/x', 'a/y'] },
        groupBy: ['model'],
        price: { model: 'package', unit: '2', per: '1000000' },
      },
      {
        meter: 'model.call.output_tokens',
        price: {
          model: 'graduated',
          tiers: [
            { upTo: '5', unit: '1', flat: '3' },
            { upTo: null, unit: '0.5' },
          ],
        },
      },
    ];
    const made = await operator('POST', '/v1/platform/plans', {
      name: 'Pro',
      currency: 'USD',
      prices,
      recurringFee: '20',
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      name: 'Pro',
      version: 1,
      recurringFee: '20',
      isDefault: false,
      demo: false,
      prices,
    });
    const { id, prices: kept } = made.body as unknown as { id: string; prices: { id: string }[] };
    expect(id).toMatch(/^pln_/);
    expect(kept[0]?.id).toMatch(/^prc_/);
    const change = { prices: [{ ...kept[0], price: { model: 'per_unit', unit: '9' } }], recurringFee: null };
    const changed = await operator('PATCH', `/v1/platform/plans/${id}`, change);
    expect(changed.body).toMatchObject({ name: 'Pro', version: 2, recurringFee: null, prices: change.prices });
    expect((await operator('GET', `/v1/platform/plans/${id}`)).body).toEqual(changed.body);
    const list = await operator('GET', '/v1/platform/plans?limit=200');
    const { data } = list.body as unknown as { data: { id: string; name: string; currency: string }[] };
    expect(data).toContainEqual(changed.body);
    expect(data.map(({ name, currency }) => `${name} ${currency}`)).toEqual(
      expect.arrayContaining(['Standard USD', 'Demo USD', 'Demo EUR', 'Demo CNY']),
    );
  });

  test('the running invoice shows what was used, and why it comes to that', async () => {
    await planOf(acme, [runs('0.02', { included: '10' })], { recurringFee: '5' });
    const agent = newId();
    await run(acme, agent, 60);
    const plan = await t.call(acme.key, 'GET', '/v1/plan');
    expect(plan.body).toMatchObject({ until: null, plan: { name: 'Own', prices: [runs('0.02', { included: '10' })] } });
    const upcoming = await t.call(acme.key, 'GET', '/v1/invoices/upcoming');
    expect(upcoming.body).toMatchObject({
      status: 'upcoming',
      timeZone: 'Asia/Shanghai',
      currency: 'USD',
      total: '6.00',
      unpriced: [],
      lines: [
        { kind: 'recurring', amount: '5.00' },
        {
          kind: 'usage',
          meter: 'agent.run.runs',
          quantity: '60',
          included: '10',
          billable: '50',
          unitPrice: '0.02',
          amount: '1.00',
        },
      ],
    });
    const zone = (text: unknown) => Temporal.Instant.from(String(text)).toZonedDateTimeISO('Asia/Shanghai');
    const start = zone(upcoming.body['periodStart']);
    expect([start.day, start.hour]).toEqual([1, 0]);
    expect(zone(upcoming.body['periodEnd']).equals(start.add({ months: 1 }))).toBe(true);
    const explained = await t.call(acme.key, 'GET', '/v1/invoices/upcoming/explain');
    expect(explained.body).toMatchObject({
      ...upcoming.body,
      explained: {
        listTotal: '1.20',
        difference: '4.8',
        parts: { includedAndTiers: '-0.2', recurringFees: '5', rounding: '0', late: '0', otherPrices: '0' },
      },
    });
  });

  test('final invoices are listed page by page and read', async () => {
    const tenant = await t.tenant('Closed');
    await closed(tenant);
    const list = await t.call(tenant.key, 'GET', '/v1/invoices?limit=1');
    const { data } = list.body as unknown as { data: { id: string }[] };
    expect(data).toMatchObject([{ status: 'final', number: 1, total: '1.50', currency: 'USD', lines: [] }]);
    const one = await t.call(tenant.key, 'GET', `/v1/invoices/${data[0]?.id}`);
    expect(one.body).toEqual(data[0]);
    const all = await operator('GET', `/v1/platform/invoices?tenantId=${tenant.id}`);
    expect(all.body).toMatchObject({ data: [{ ...data[0], tenantId: tenant.id, demo: false }], nextCursor: null });
  });

  test('a tenant that is erased in the middle of a month has its last invoice: the usage of it goes, the invoice stays', async () => {
    const tenant = await t.tenant('Leaving');
    const prices = [{ meter: 'agent.run.runs', price: { model: 'per_unit', unit: '2.5' } }];
    const plan = await operator('POST', '/v1/platform/plans', { name: 'Leaver', currency: 'USD', prices });
    await operator('PUT', `/v1/platform/tenants/${tenant.id}/subscription`, { planId: plan.body['id'] });
    const usage = {
      tenantId: tenant.uuid,
      id: newId(),
      source: 'test',
      type: 'agent.run',
      dimensions: {},
      quantities: { runs: 3 },
      demo: false,
      mode: 'live' as const,
    };
    await t.app.services.metering.metering.recordUsage([{ usage, charges: [] }]);
    const path = `/v1/platform/tenants/${tenant.id}?graceDays=0`;
    expect((await operator('DELETE', path)).body).toMatchObject({ status: 'deleted' });
    const left = await t.app.db.forPlatform((tx) =>
      tx.query('SELECT 1 FROM usage WHERE tenant_id = $1', [tenant.uuid]),
    );
    expect(left).toEqual([]);
    const { body } = await operator('GET', `/v1/platform/invoices?tenantId=${tenant.id}`);
    expect(body['data']).toMatchObject([{ total: '7.50', lines: [{ quantity: '3', unitPrice: '2.5' }] }]);
  });

  test('margins show price and cost by tenant, agent and currency', async () => {
    const tenant = await t.tenant('Margins');
    const made = await t.call(tenant.key, 'POST', '/v1/agents', {
      name: 'support',
      description: '',
      definition: { kind: 'native', instructions: '', model: 'lintel/router' },
    });
    expect(made.status, made.text).toBe(201);
    const agent = parseId('agent', String(made.body['id'])) as string;
    const more = { price: '3', currency: 'USD', cost: '1.25', costCurrency: 'USD' };
    const usage = {
      tenantId: tenant.uuid,
      id: newId(),
      source: 'test',
      type: 'model.call',
      quantities: { input_tokens: 1 },
    };
    await t.app.services.metering.metering.recordUsage([
      { usage: { ...usage, dimensions: { agent }, demo: false, mode: 'live', ...more }, charges: [] },
    ]);
    const now = Temporal.Now.instant();
    const range = `from=${now.subtract({ hours: 1 })}&to=${now.add({ hours: 1 })}`;
    const answer = await operator('GET', `/v1/platform/margins?${range}&tenantId=${tenant.id}`);
    expect(answer.body).toMatchObject({
      data: [
        {
          tenantId: tenant.id,
          agentId: made.body['id'],
          agentName: 'support',
          currency: 'USD',
          price: '3.00',
          cost: '1.25',
          margin: '1.75',
        },
      ],
    });
    expect((await t.call(tenant.key, 'DELETE', `/v1/agents/${made.body['id']}`)).status).toBe(204);
    await vi.waitFor(async () => {
      const later = await operator('GET', `/v1/platform/margins?${range}&tenantId=${tenant.id}`);
      expect(later.body).toMatchObject({ data: [{ agentId: made.body['id'], agentName: null }] });
    });
  });
});

describe('errors', () => {
  test.each([
    ['a price below 0', [runs('-1')], '/prices/0/price/unit'],
    ['a price without its members', [{ meter: 'a.b', price: { model: 'package', unit: '1' } }], '/prices/0/price/per'],
    ['a member of another model', [runs('1', { tiers: [{ upTo: null, unit: '1' }] })], '/prices/0/price/tiers'],
    [
      'tiers that do not rise',
      [{ meter: 'a.b', price: { model: 'volume', tiers: [{ upTo: '1', unit: '1' }] } }],
      '/prices/0/price/tiers/0/upTo',
    ],
    ['two prices for one usage', [runs('1'), runs('2')], '/prices/1'],
    ['a meter that is none', [{ ...runs('1'), meter: 'runs' }], '/prices/0/meter'],
    ['an agent that is no id', [{ ...runs('1'), where: { agent: 'support' } }], '/prices/0/where/agent'],
    ['an amount with an exponent', [runs('1e-6')], '/prices/0/price/unit'],
  ])('%s is refused with its place', async (_what, prices, pointer) => {
    const answer = await operator('POST', '/v1/platform/plans', { name: 'Bad', currency: 'USD', prices });
    expect([answer.status, answer.body['errors']]).toMatchObject([
      400,
      expect.arrayContaining([expect.objectContaining({ pointer })]),
    ]);
  });

  test('an amount so large that no call could be priced', async () => {
    const amount = '9'.repeat(20);
    for (const [prices, pointer] of [
      [[runs(amount)], '/prices/0/price/unit'],
      [
        [{ meter: 'a.b', price: { model: 'volume', tiers: [{ upTo: null, unit: '1', flat: amount }] } }],
        '/prices/0/price/tiers/0/flat',
      ],
    ] as const) {
      const answer = await operator('POST', '/v1/platform/plans', { name: 'Huge', currency: 'USD', prices });
      expect([answer.status, answer.body['errors']]).toMatchObject([400, [{ pointer }]]);
    }
    const fee = await operator('POST', '/v1/platform/plans', {
      name: 'Huge',
      currency: 'USD',
      prices: [],
      recurringFee: amount,
    });
    expect(fee.status).toBe(400);
  });

  test('of plans that are made the default one at once, each that is answered with 201 is there', async () => {
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        operator('POST', '/v1/platform/plans', { name: `Default ${i}`, currency: 'SEK', prices: [], isDefault: true }),
      ),
    );
    for (const { status, body } of made) {
      expect([201, 409]).toContain(status);
      if (status === 201) expect((await operator('GET', `/v1/platform/plans/${body['id']}`)).status).toBe(200);
    }
    expect(made.some(({ status }) => status === 201)).toBe(true);
    const all = (await operator('GET', '/v1/platform/plans?limit=200')).body['data'] as unknown as Record<
      string,
      unknown
    >[];
    expect(all.filter((plan) => plan['currency'] === 'SEK' && plan['isDefault'] === true)).toHaveLength(1);
  });

  test('a tenant that is deleted as soon as it is made leaves no subscription', async () => {
    const made = await operator('POST', '/v1/platform/tenants', { name: 'Short-lived' });
    const path = `/v1/platform/tenants/${made.body['id']}`;
    expect((await operator('DELETE', `${path}?graceDays=0`)).body).toMatchObject({ status: 'deleted' });
    const behind = (service: 'relay' | 'log_reader', sql: string) =>
      t.app.db.forService(service, async (tx) => (await tx.query(sql)).length > 0);
    await vi.waitFor(async () => {
      expect(await behind('relay', 'SELECT 1 FROM outbox')).toBe(false);
      const sql = `SELECT 1 FROM log WHERE seq > (SELECT seq FROM log_cursors WHERE reader = 'billing.tenants') AND event->>'type' LIKE 'tenancy.%'`;
      expect(await behind('log_reader', sql)).toBe(false);
    }, 10_000);
    const rows = await t.app.db.forPlatform((tx) =>
      tx.query('SELECT 1 FROM subscriptions WHERE tenant_id = $1', [parseId('tenant', String(made.body['id']))]),
    );
    expect(rows).toEqual([]);
  });

  test('a currency that is none, a plan and a tenant that are none', async () => {
    const bad = await operator('POST', '/v1/platform/plans', { name: 'Bad', currency: 'USX', prices: [] });
    expect([bad.status, bad.body['errors']]).toMatchObject([400, [{ pointer: '/currency' }]]);
    const none = 'pln_01m81x081pe00bzdk2kknyq7wt';
    expect((await operator('GET', `/v1/platform/plans/${none}`)).status).toBe(404);
    expect((await operator('PATCH', '/v1/platform/plans/nonsense', { name: 'x' })).status).toBe(404);
    const path = (id: string) => `/v1/platform/tenants/${id}/subscription`;
    expect((await operator('PUT', path(acme.id), { planId: none })).status).toBe(404);
    expect((await operator('PUT', path(acme.id), { planId: 'x' })).status).toBe(400);
    expect((await operator('PUT', path('tnt_01m81x081pe00bzdk2kknyq7wt'), { planId: none })).status).toBe(404);
    for (const id of ['nonsense', 'tnt_01m81x081pe00bzdk2kknyq7wt'])
      expect((await operator('GET', path(id))).status).toBe(404);
    const range = 'from=2026-11-01T00:00:00Z';
    expect((await operator('GET', `/v1/platform/margins?${range}`)).status).toBe(400);
    expect((await operator('GET', `/v1/platform/margins?${range}&to=tomorrow`)).status).toBe(400);
  });

  test('the id of another plan’s price is not taken over', async () => {
    const plan = await planOf(acme, [runs('1')]);
    const foreign = await planOf(acme, [runs('2')]);
    const { prices } = foreign as unknown as { prices: object[] };
    const answer = await operator('PATCH', `/v1/platform/plans/${plan['id']}`, { prices });
    expect([answer.status, answer.body['errors']]).toMatchObject([400, [{ pointer: '/prices/0/id' }]]);
  });
});

describe('security', () => {
  test('another tenant’s invoice is one that there is not', async () => {
    await closed(other);
    const mine = await t.call(other.key, 'GET', '/v1/invoices');
    const { data } = mine.body as unknown as { data: { id: string }[] };
    const path = `/v1/invoices/${data[0]?.id}`;
    expect((await t.call(other.key, 'GET', path)).status).toBe(200);
    const theirs = await t.call(acme.key, 'GET', path);
    const nobodys = await t.call(acme.key, 'GET', '/v1/invoices/ivc_01m81x081pe00bzdk2kknyq7wt');
    expect([theirs.status, { ...theirs.body, requestId: '' }]).toEqual([404, { ...nobodys.body, requestId: '' }]);
    const cursor = Buffer.from(JSON.stringify(['ffffffff-ffff-7fff-bfff-ffffffffffff'])).toString('base64url');
    expect((await t.call(acme.key, 'GET', `/v1/invoices?cursor=${cursor}`)).text).not.toContain(data[0]?.id);
  });

  test('tenants do not see the platform’s side, nor do developers see invoices', async () => {
    const range = 'from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z';
    for (const path of ['/v1/platform/plans', '/v1/platform/invoices', `/v1/platform/margins?${range}`])
      expect([path, (await t.call(acme.key, 'GET', path)).status]).toEqual([path, 403]);
    const put = await t.call(acme.key, 'PUT', `/v1/platform/tenants/${acme.id}/subscription`, { planId: 'x' });
    expect(put.status).toBe(403);
    expect((await t.call(acme.key, 'GET', `/v1/platform/tenants/${acme.id}/subscription`)).status).toBe(403);
    const developer = await acme.keyOf('developer');
    const billing = await acme.keyOf('billing');
    for (const path of ['/v1/invoices', '/v1/invoices/upcoming', '/v1/invoices/upcoming/explain']) {
      expect([path, (await t.call(developer, 'GET', path)).status]).toEqual([path, 403]);
      expect([path, (await t.call(billing, 'GET', path)).status]).toEqual([path, 200]);
      expect([path, (await t.call(undefined, 'GET', path)).status]).toEqual([path, 401]);
    }
    for (const key of [developer, billing]) expect((await t.call(key, 'GET', '/v1/plan')).status).toBe(200);
  });
});
