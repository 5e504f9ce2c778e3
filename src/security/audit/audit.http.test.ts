import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { causeOf, systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import type { Arrival } from '#kernel/front-door';
import { formatId, newId } from '#kernel/ids';
import type { Event } from '#kernel/log';
import { Problem, problems } from '#kernel/problem';
import { platformTenantId } from '#tenancy';
import { type TestDatabase, testDatabase } from '#test/database';
import { call, type IdentityNode, identityNode } from '#test/identity';

let t: TestDatabase;
let node: IdentityNode;
const clock = new TestClock('2026-11-22T12:00:00Z', process.env['NODE_ENV']);
const cause = systemCause('test');
let tenantId: string;
let owner: string;
let other: string;
let operator: string;

beforeAll(async () => {
  t = await testDatabase();
  node = await identityNode(t, { clock });
  tenantId = (await node.tenancy.manager.createTenant({ name: 'Acme' }, cause)).id;
  const otherId = (await node.tenancy.manager.createTenant({ name: 'Other', demo: true }, cause)).id;
  owner = (await node.auth.keys.createKey(tenantId, { name: 'owner', role: 'owner' }, cause)).secret;
  other = (await node.auth.keys.createKey(otherId, { name: 'other', role: 'owner' }, cause)).secret;
  operator = (await node.auth.keys.createKey(platformTenantId, { name: 'op' }, cause)).secret;
});
afterAll(async () => {
  await node.close();
  await t.close();
});

/** Does what the relay and the subscriber do: brings the outbox to the audit log, twice. */
async function bring(): Promise<Event[]> {
  const events = await t.db.forService('relay', (tx) =>
    tx.query<{ event: Event }>('SELECT event FROM outbox ORDER BY id'),
  );
  for (const { event } of [...events, ...events]) await node.audit.manager.record(event);
  return events.map((row) => row.event);
}
const list = async (key: string, query = '', path = '/v1/audit/events') =>
  (await call(node.app, 'GET', `${path}${query}`, { key })).json();
const arrival = (ip: string): Arrival => ({
  requestId: 'req_1',
  headers: { 'user-agent': 'probe' },
  ip,
  secure: false,
  method: 'GET',
  host: 'localhost',
});

describe('happy', () => {
  test('who did what, on whose behalf, from where, by which right, before and after', async () => {
    const made = (
      await call(
        node.app,
        'POST',
        '/v1/api-keys',
        { key: owner },
        { name: 'ci', scopes: ['agents:read'] },
        { 'user-agent': 'curl/9' },
      )
    ).json();
    await call(node.app, 'PATCH', `/v1/api-keys/${made.id}`, { key: owner }, { name: 'ci-2' });
    await bring();
    const page = await list(owner, `?subject=${made.id}`);
    expect(page.data.map((each: { type: string }) => each.type)).toEqual([
      'auth.key.updated',
      'auth.key.created',
      'rbac.roles.assigned',
    ]);
    expect(page.data[1]).toMatchObject({
      tenantId: formatId('tenant', tenantId),
      actor: { kind: 'key', name: 'owner', id: expect.stringMatching(/^key_/) },
      onBehalfOf: { kind: 'system', id: 'test' },
      origin: { ip: '127.0.0.1', client: 'curl/9' },
      decision: { allowed: true, role: 'owner', reason: 'The role owner gives api-keys:create.' },
      requestId: expect.stringMatching(/^req_/),
    });
    expect(page.data[0].data).toMatchObject({ before: { name: 'ci' }, after: { name: 'ci-2' } });
    expect(JSON.stringify(page)).not.toContain(made.key);
  });

  test('ids in the data are those that the API takes', async () => {
    const agent = formatId('agent', newId());
    const make = { name: 'one agent', agents: [agent] };
    const made = (await call(node.app, 'POST', '/v1/api-keys', { key: owner }, make)).json();
    const rotated = (
      await call(node.app, 'POST', `/v1/api-keys/${made.id}/rotate`, { key: owner }, { overlapHours: 1 })
    ).json();
    await bring();
    const data = async (type: string) => (await list(owner, `?subject=${made.id}&type=${type}`)).data[0].data;
    expect(await data('auth.key.created')).toMatchObject({ after: { agents: [agent] } });
    expect(await data('auth.key.rotated')).toMatchObject({ newKeyId: rotated.id });
    const uuids = /"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"/;
    expect(JSON.stringify(await list(owner, '?limit=200'))).not.toMatch(uuids);
    expect(JSON.stringify(await list(operator, '?limit=200', '/v1/platform/audit/events'))).not.toMatch(uuids);
  });

  test('filters and pages', async () => {
    await bring();
    const all = (await list(owner, '?limit=200')).data as { id: string; at: string; type: string }[];
    const paged: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { data: { id: string }[]; nextCursor: string | null } = await list(
        owner,
        `?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`,
      );
      paged.push(...page.data.map((each) => each.id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(paged).toEqual(all.map((each) => each.id));
    const keys = (await list(owner, '?type=auth.key.')).data;
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.every((each: { type: string }) => each.type.startsWith('auth.key.'))).toBe(true);
    expect((await list(owner, '?from=2030-01-01T00:00:00Z')).data).toEqual([]);
    expect((await list(owner, '?to=2020-01-01T00:00:00Z')).data).toEqual([]);
    const byActor = (await list(owner, '?actor=test')).data;
    expect(byActor.length).toBeGreaterThan(0);
  });

  test('operators see all tenants; demo tenants only when asked', async () => {
    await bring();
    const path = '/v1/platform/audit/events';
    const tenants = async (query: string) =>
      new Set((await list(operator, query, path)).data.map((each: { tenantId: string }) => each.tenantId));
    const without = await tenants('?limit=200');
    const withDemo = await tenants('?limit=200&includeDemo=true');
    expect(without).toContain(formatId('tenant', tenantId));
    expect(withDemo.size).toBe(without.size + 1);
    expect(await tenants(`?tenantId=${formatId('tenant', tenantId)}`)).toEqual(new Set([formatId('tenant', tenantId)]));
  });
});

describe('errors', () => {
  test('bad cursors, times and tenants', async () => {
    for (const query of [
      '?cursor=AAAA',
      '?from=yesterday',
      `?cursor=${Buffer.from('["2026-11-22T12:00:00Z","x"]').toString('base64url')}`,
    ])
      expect((await call(node.app, 'GET', `/v1/audit/events${query}`, { key: owner })).statusCode).toBe(400);
    expect(
      (await call(node.app, 'GET', '/v1/platform/audit/events?tenantId=nonsense', { key: operator })).statusCode,
    ).toBe(404);
  });
});

describe('security', () => {
  test('a tenant sees its own events alone, developers none, and nobody changes one', async () => {
    await bring();
    expect((await list(owner)).data.length).toBeGreaterThan(0);
    const theirs = (await list(other, '?limit=200')).data;
    expect(theirs.length).toBeGreaterThan(0);
    expect(theirs.some((each: { tenantId: string }) => each.tenantId === formatId('tenant', tenantId))).toBe(false);
    const { secret } = await node.auth.keys.createKey(tenantId, { name: 'dev', role: 'developer' }, cause);
    expect((await call(node.app, 'GET', '/v1/audit/events', { key: secret })).statusCode).toBe(403);
    expect((await call(node.app, 'GET', '/v1/platform/audit/events', { key: owner })).statusCode).toBe(403);
    for (const sql of ["UPDATE audit_events SET type = 'x'", 'DELETE FROM audit_events'])
      await expect(t.db.forTenant(tenantId, (tx) => tx.execute(sql))).rejects.toThrow('permission denied');
  });

  test('100,000 refusals of one address are one row a second with their count, of many addresses bounded rows', async () => {
    await node.audit.flush();
    await bring();
    const problem = new Problem(problems.unauthenticated);
    const refuse = (ip: string) =>
      node.audit.refused({
        requestId: `req_${ip}`,
        step: 'authenticate',
        problem,
        principal: undefined,
        arrival: arrival(ip),
        operationId: 'auth.getSession',
      });
    for (let i = 0; i < 50_000; i++) refuse('198.51.100.1');
    for (let i = 0; i < 50_000; i++) refuse(`2001:db8:0:7::${(i % 60_000).toString(16)}`);
    const before = (await bring()).length;
    await node.audit.flush();
    const flushed = (await bring()).slice(before);
    expect(flushed.map((event) => [event.type, event.data?.['count'], event.tenantId])).toEqual([
      ['security.request.refused', 50_000, platformTenantId],
      ['security.request.refused', 50_000, platformTenantId],
    ]);
    expect(flushed[0]?.requestId).toBe('req_198.51.100.1');
    for (let i = 0; i < 100_000; i++) refuse(`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`);
    await node.audit.flush();
    const many = (await bring()).slice(before + 2);
    expect(many.length).toBeLessThanOrEqual(501);
    expect(many.reduce((sum, event) => sum + (event.data?.['count'] as number), 0)).toBe(100_000);
  });

  test('what is refused at the door and at sign-in is told, with its reason', async () => {
    const { secret } = await node.auth.keys.createKey(tenantId, { name: 'narrow', scopes: ['agents:read'] }, cause);
    await call(node.app, 'GET', '/v1/api-keys', { key: secret });
    await call(node.app, 'POST', '/v1/auth/login', {}, { email: 'nobody@acme.example', password: 'x' });
    await node.audit.flush();
    await bring();
    const [refused] = (await list(owner, '?type=security.request.refused')).data;
    expect(refused).toMatchObject({
      actor: { kind: 'key', name: 'narrow' },
      decision: { allowed: false, reason: "The key's scopes do not include api-keys:read." },
      data: { step: 'authorize', problem: 'forbidden', operationId: 'auth.listKeys', count: 1 },
    });
    const [signIn] = (await list(operator, '?type=security.sign_in.', '/v1/platform/audit/events')).data;
    expect(signIn.data).toEqual({ email: 'nobody@acme.example', reason: 'sign-in-failed', count: 1 });
  });

  test('refusals are kept while the database is away, and counted on', async () => {
    const problem = new Problem(problems.unauthenticated);
    const refuse = () =>
      node.audit.refused({
        requestId: 'req_a',
        step: 'authenticate',
        problem,
        principal: undefined,
        arrival: arrival('192.0.2.99'),
        operationId: 'x',
      });
    refuse();
    const real = t.db.forPlatform;
    t.db.forPlatform = () => Promise.reject(new Error('away'));
    await expect(node.audit.flush()).rejects.toThrow('away');
    t.db.forPlatform = real;
    refuse();
    await node.audit.flush();
    const last = (await bring()).at(-1);
    expect(last?.data?.['count']).toBe(2);
  });

  test('a context passed as a cause leaks nothing of the request into events', () => {
    const context = {
      actor: { kind: 'key', id: 'x' },
      origin: { ip: '1', client: '' },
      requestId: 'r',
      decision: undefined,
      principal: { onBehalfOf: undefined },
      body: { password: 'secret' },
    };
    expect(causeOf(context as never)).toEqual({
      actor: { kind: 'key', id: 'x' },
      origin: { ip: '1', client: '' },
      requestId: 'r',
    });
  });
});
