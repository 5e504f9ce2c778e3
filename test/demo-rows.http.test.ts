import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { systemCause } from '#kernel/cause';
import type { Event } from '#kernel/log';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';

let t: TestApp;
let demo: TestTenant;
let real: TestTenant;

beforeAll(async () => {
  t = await startTestApp();
  [demo, real] = [await t.tenant('Shown', { demo: true }), await t.tenant('Acme')];
});
afterAll(() => t.close());

const rowsOf = async (table: 'calls' | 'usage' | 'audit_events', tenant: TestTenant) =>
  t.app.db.forPlatform((tx) =>
    tx.query<{ demo: boolean }>(`SELECT demo FROM ${table} WHERE tenant_id = $1`, [tenant.uuid]),
  );

/** The tenant's events, once the outbox is empty. */
async function eventsOf(tenant: TestTenant): Promise<Event[]> {
  await vi.waitFor(async () => {
    expect(await t.app.db.forService('relay', (tx) => tx.query('SELECT 1 FROM outbox'))).toEqual([]);
  }, 10_000);
  const rows = await t.app.db.forService('log_reader', (tx) =>
    tx.query<{ event: Event }>(`SELECT event FROM log WHERE event->>'tenantId' = $1 ORDER BY seq`, [tenant.uuid]),
  );
  return rows.map(({ event }) => event);
}

/** Something of every module that appends events of a tenant. */
async function live(tenant: TestTenant): Promise<void> {
  const did = async (key: string, method: string, path: string, body?: unknown) => {
    const answer = await t.call(key, method, path, body);
    expect([path, answer.status]).toEqual([path, expect.toSatisfy((status: number) => status < 300)]);
    return answer.body;
  };
  const { key } = tenant;
  const tools = [{ tool: 'calculator' }, { tool: 'lintel' }];
  const definition = { kind: 'native', instructions: 'Help.', model: 'lintel/router', tools };
  const agent = await did(key, 'POST', '/v1/agents', { name: 'helper', definition });
  await did(key, 'POST', `/v1/agents/${agent['id']}/runs`, { input: 'What is 12 * 34?' });
  await did(key, 'POST', '/v1/chat/completions', {
    model: 'agent/helper',
    messages: [{ role: 'user', content: 'What is 2 + 2?' }],
  });
  const made = await did(key, 'POST', '/v1/api-keys', { name: 'second' });
  await did(key, 'POST', '/v1/limits', {
    scope: 'key',
    scopeId: made['id'],
    resource: 'requests',
    window: 'second',
    amount: '5',
  });
  await did(key, 'POST', '/v1/members', { email: 'ada@acme.example', roles: ['viewer'] });
  await did(key, 'POST', '/v1/providers', { name: 'own', preset: 'openai', apiKey: 'sk-test-0123456789' });
  await did(key, 'PATCH', '/v1/tenant', { name: 'Renamed' });
  const { auth } = t.app.services;
  const user = await auth.members.createUser(
    tenant.uuid,
    { email: 'bob@acme.example', name: 'Bob', roles: ['viewer'] },
    systemCause('test'),
  );
  const { token } = await auth.signIn.issueLoginLink(tenant.uuid, user.id, 5, systemCause('test'));
  await did(key, 'POST', '/v1/auth/link', { token });
  // A refusal is the tenant's event too.
  expect((await t.call(await tenant.keyOf('viewer'), 'POST', '/v1/api-keys', { name: 'x' })).status).toBe(403);
  await t.app.services.audit.flush();
}

describe('happy', () => {
  test('every call, usage and event row of a demo tenant says so, of a real one none', async () => {
    await live(demo);
    await live(real);
    const modules = (events: readonly Event[]) => new Set(events.map(({ type }) => type.split('.')[0]));
    const [shown, own] = [await eventsOf(demo), await eventsOf(real)];
    expect(modules(shown)).toEqual(
      new Set(['tenancy', 'billing', 'rbac', 'auth', 'agents', 'quota', 'models', 'security']),
    );
    expect(modules(own)).toEqual(modules(shown));
    expect(shown.filter((event) => event.demo !== true).map(({ type }) => type)).toEqual([]);
    expect(own.filter((event) => event.demo === true).map(({ type }) => type)).toEqual([]);
    for (const table of ['calls', 'usage', 'audit_events'] as const) {
      await vi.waitFor(async () => expect((await rowsOf(table, real)).length).toBeGreaterThan(1), 10_000);
      await vi.waitFor(async () => expect((await rowsOf(table, demo)).length).toBeGreaterThan(1), 10_000);
      expect([table, (await rowsOf(table, demo)).every((row) => row.demo)]).toEqual([table, true]);
      expect([table, (await rowsOf(table, real)).some((row) => row.demo)]).toEqual([table, false]);
    }
  });
});

describe('errors', () => {
  test('the switch that shows demo rows is a yes or a no', async () => {
    for (const path of ['/v1/platform/overview', '/v1/platform/calls']) {
      expect((await t.call(t.operatorKey, 'GET', `${path}?includeDemo=false`)).status).toBe(200);
      const answer = await t.call(t.operatorKey, 'GET', `${path}?includeDemo=perhaps`);
      expect([path, answer.status]).toEqual([path, 400]);
      expect(answer.text).toContain('includeDemo');
    }
  });
});

describe('security', () => {
  test('a tenant cannot make itself a demo, whose calls are nobody’s money', async () => {
    expect((await t.call(real.key, 'PATCH', '/v1/tenant', { name: 'Acme' })).status).toBe(200);
    const answer = await t.call(real.key, 'PATCH', '/v1/tenant', { demo: true });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('demo')]);
    expect((await t.call(real.key, 'PATCH', `/v1/platform/tenants/${real.id}`, { name: 'Acme' })).status).toBe(403);
    expect((await t.call(real.key, 'GET', '/v1/tenant')).body).toMatchObject({ demo: false });
  });
});
