import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { formatId, newId } from '#kernel/ids';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { callRecord, usageOf } from '#test/calls';

let t: TestApp;
let acme: TestTenant;
let other: TestTenant;
const keyId = newId();

beforeAll(async () => {
  t = await startTestApp();
  acme = await t.tenant('Acme');
  other = await t.tenant('Other');
});
afterAll(() => t.close());

async function record(tenant: TestTenant, more: Parameters<typeof callRecord>[1] = {}): Promise<string> {
  const call = callRecord(tenant.uuid, more);
  const usage = usageOf(call, { dimensions: { model: call.model ?? '', key: keyId } });
  await t.app.services.metering.metering.record({ call, usage: [usage], charges: [] });
  return formatId('call', call.id);
}

describe('happy', () => {
  test('calls are listed newest first, page by page and by filter; one is read with its trace', async () => {
    const ids = [
      await record(acme),
      await record(acme, { model: 'acme/big', keyId }),
      await record(acme, { status: 'failed' }),
    ];
    const page = await t.call(acme.key, 'GET', '/v1/calls?limit=2');
    const rest = await t.call(acme.key, 'GET', `/v1/calls?limit=2&cursor=${page.body['nextCursor']}`);
    const seen = [page, rest].flatMap(({ body }) => body['data'] as unknown as { id: string }[]);
    expect(seen.map(({ id }) => id)).toEqual(ids.toReversed());
    expect(rest.body['nextCursor']).toBeNull();
    for (const [query, id] of [
      ['status=failed', ids[2]],
      ['model=acme%2Fbig', ids[1]],
      [`keyId=${formatId('key', keyId)}`, ids[1]],
    ]) {
      expect((await t.call(acme.key, 'GET', `/v1/calls?${query}`)).body['data']).toMatchObject([{ id }]);
    }
    const one = await t.call(acme.key, 'GET', `/v1/calls/${ids[0]}`);
    expect(one.body).toMatchObject({ id: ids[0], price: '0.0002', currency: 'USD', inputTokens: 10, late: false });
    expect(one.body['trace']).toMatchObject([{ step: 'authenticate', outcome: 'pass' }, { step: 'reserve' }]);
    // What the provider charges is the operators' affair.
    expect(one.body).toMatchObject({ cost: null, costCurrency: null });
    const theirs = await t.call(t.operatorKey, 'GET', `/v1/platform/calls/${ids[0]}`);
    expect(theirs.body).toMatchObject({ cost: '0.0001', tenantId: acme.id });
  });

  test('what a tenant’s own provider key is charged it sees; the platform’s cost it is not', async () => {
    const tenant = await t.tenant('Own key');
    const id = await record(tenant, { ownCost: '0.00300', ownCostCurrency: 'EUR' });
    const both = { cost: '0.0001', costCurrency: 'USD' };
    const own = { cost: '0.003', costCurrency: 'EUR' };
    expect((await t.call(tenant.key, 'GET', `/v1/calls/${id}`)).body).toMatchObject(own);
    expect((await t.call(tenant.key, 'GET', '/v1/calls')).body['data']).toMatchObject([own]);
    expect((await t.call(t.operatorKey, 'GET', `/v1/platform/calls/${id}`)).body).toMatchObject(both);
  });

  test('usage is summed by group; demo is left out for operators unless asked for', async () => {
    const tenant = await t.tenant('Sums');
    await Promise.all([record(tenant), record(tenant), record(tenant, { demo: true })]);
    const days = await t.call(tenant.key, 'GET', '/v1/usage');
    expect(days.body).toMatchObject({ groupBy: 'day', timeZone: 'UTC' });
    expect(days.body['data']).toMatchObject([
      { events: 3, quantities: { input_tokens: '30' }, prices: [{ currency: 'USD', amount: '0.0006' }] },
    ]);
    const keys = await t.call(tenant.key, 'GET', '/v1/usage?groupBy=key');
    expect(keys.body['data']).toMatchObject([{ group: formatId('key', keyId), events: 3 }]);
    const path = `/v1/platform/usage?groupBy=tenant&tenantId=${tenant.id}`;
    expect((await t.call(t.operatorKey, 'GET', path)).body['data']).toMatchObject([{ group: tenant.id, events: 2 }]);
    expect((await t.call(t.operatorKey, 'GET', `${path}&includeDemo=true`)).body['data']).toMatchObject([
      { events: 3 },
    ]);
    const calls = `/v1/platform/calls?tenantId=${tenant.id}`;
    expect((await t.call(t.operatorKey, 'GET', calls)).body['data']).toHaveLength(2);
    expect((await t.call(t.operatorKey, 'GET', `${calls}&includeDemo=true`)).body['data']).toHaveLength(3);
  });

  test('a call names the invoice line that it will become; one of a test key none', async () => {
    const tenant = await t.tenant('Billed');
    const agent = { kind: 'native', instructions: 'Help.', tools: [{ tool: 'calculator' }] };
    const made = await t.call(tenant.key, 'POST', '/v1/agents', { name: 'open', definition: agent });
    const run = async (key: string) => {
      const answer = await t.call(key, 'POST', `/v1/agents/${made.body['id']}/runs`, { input: 'What is 12 * 34?' });
      expect(answer.status).toBe(200);
      return answer.headers.get('x-request-id');
    };
    const id = await run(tenant.key);
    const invoiceOf = async (path: string, key = tenant.key) => (await t.call(key, 'GET', path)).body['invoice'];
    await vi.waitFor(async () => expect(await invoiceOf(`/v1/calls/${id}`)).not.toBeNull(), 5_000);
    const { periodStart, periodEnd, lines } = (await t.call(tenant.key, 'GET', '/v1/invoices/upcoming')).body;
    const [line] = lines as unknown as { priceId: string }[];
    const named = { lines: [{ meter: 'agent.run.runs', priceId: line?.priceId }], plan: 'Standard' };
    const invoice = { id: null, status: 'upcoming', periodStart, periodEnd, ...named };
    expect(await invoiceOf(`/v1/calls/${id}`)).toEqual(invoice);
    expect(await invoiceOf(`/v1/platform/calls/${id}`, t.operatorKey)).toEqual(invoice);
    const chat = { model: 'lintel/router', messages: [{ role: 'user', content: 'hello' }] };
    const free = await t.call(tenant.key, 'POST', '/v1/chat/completions', chat);
    expect(await invoiceOf(`/v1/calls/${free.headers.get('x-request-id')}`)).toBeNull();
    const test = await run(await tenant.keyOf('developer', { mode: 'test' }));
    expect(await invoiceOf(`/v1/calls/${test}`)).toBeNull();
  });

  test('usage is what is billed; that of test keys is summed when it is asked for', async () => {
    const tenant = await t.tenant('Modes');
    await Promise.all([record(tenant), record(tenant), record(tenant, { mode: 'test' })]);
    for (const [area, key, and] of [
      ['/v1/usage', tenant.key, ''],
      ['/v1/platform/usage', t.operatorKey, `&tenantId=${tenant.id}`],
    ] as const) {
      const sums = async (query: string) => (await t.call(key, 'GET', `${area}?${query}${and}`)).body['data'];
      expect(await sums('')).toMatchObject([{ events: 2 }]);
      expect(await sums('mode=test')).toMatchObject([{ events: 1 }]);
      expect(await sums('mode=all')).toMatchObject([{ events: 3 }]);
      expect(await sums('groupBy=mode')).toMatchObject([
        { group: 'live', events: 2 },
        { group: 'test', events: 1 },
      ]);
      expect(await sums('groupBy=mode&mode=test')).toMatchObject([{ group: 'test' }]);
    }
  });
});

describe('errors', () => {
  test.each([
    '/v1/calls?limit=0',
    '/v1/calls?cursor=x',
    '/v1/calls?status=fine',
    '/v1/calls?from=yesterday',
    '/v1/usage?groupBy=moon',
    '/v1/usage?groupby=model',
    '/v1/usage?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z',
    '/v1/usage?groupBy=hour&from=2026-01-01T00:00:00Z&to=2026-11-01T00:00:00Z',
  ])('%s is 400 with a pointer', async (path) => {
    const answer = await t.call(acme.key, 'GET', path);
    expect(answer.status).toBe(400);
    expect(answer.body['errors']?.[0]?.['pointer']).toMatch(/^\/query/);
  });
});

describe('security', () => {
  test('another tenant sees 404 as for an unknown call and none of it in lists; a missing permission gets 403', async () => {
    const id = await record(acme);
    expect((await t.call(acme.key, 'GET', `/v1/calls/${id}`)).status).toBe(200);
    const foreign = await t.call(other.key, 'GET', `/v1/calls/${id}`);
    const unknown = await t.call(other.key, 'GET', `/v1/calls/${formatId('call', newId())}`);
    expect(foreign.status).toBe(404);
    expect({ ...foreign.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
    expect((await t.call(other.key, 'GET', '/v1/calls/call_1')).status).toBe(404);
    const cursor = Buffer.from(JSON.stringify([newId()])).toString('base64url');
    for (const path of ['/v1/calls', `/v1/calls?cursor=${cursor}`, `/v1/calls?keyId=${formatId('key', keyId)}`]) {
      expect((await t.call(other.key, 'GET', path)).body['data']).toEqual([]);
    }
    expect((await t.call(other.key, 'GET', '/v1/usage')).body['data']).toEqual([]);
    expect((await t.call(acme.key, 'GET', '/v1/platform/calls')).status).toBe(403);
    const narrow = await acme.keyOf('developer', { scopes: ['models:invoke'] });
    expect((await t.call(narrow, 'GET', '/v1/calls')).status).toBe(403);
    expect((await t.call(narrow, 'GET', '/v1/usage')).status).toBe(403);
  });
});
