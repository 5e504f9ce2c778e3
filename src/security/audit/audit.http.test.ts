import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { causeOf, systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import type { Arrival } from '#kernel/front-door';
import { formatId, newId } from '#kernel/ids';
import { append, type Event } from '#kernel/log';
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

/** The keys and agents of a tenant that has events of two agents. */
async function twoAgents() {
  const [open, hidden] = [newId(), newId()];
  const of = (id: string) => ({ tenantId, type: 'agents.agent.updated', ...cause, subject: { kind: 'agent', id } });
  const run = (agentId: string) => ({
    tenantId,
    type: 'agents.approval.requested',
    ...cause,
    subject: { kind: 'run', id: newId() },
    data: { agentId },
  });
  const events = await t.db.forTenant(tenantId, async (tx) => {
    const made: Event[] = [];
    for (const event of [of(open), of(hidden), run(open), run(hidden)]) made.push(await append(tx, event, clock.now()));
    return made;
  });
  const narrow = { name: 'narrow', role: 'admin', agents: [open] };
  const { key, secret } = await node.auth.keys.createKey(tenantId, narrow, cause);
  const [seen, unseen] = [0, 1].map((i) =>
    [events[i], events[i + 2]].map((event) => formatId('audit', String(event?.id))),
  );
  return { key, secret, seen: seen as string[], unseen: unseen as string[] };
}

describe('one event', () => {
  test('is read by its id: by its tenant, and by operators whoever it belongs to', async () => {
    await call(node.app, 'POST', '/v1/api-keys', { key: owner }, { name: 'to be opened' });
    await bring();
    const [event] = (await list(owner, '?limit=1')).data;
    const read = async (key: string, path = '/v1/audit/events') => {
      const answer = await call(node.app, 'GET', `${path}/${event.id}`, { key });
      return [answer.statusCode, answer.statusCode === 200 ? answer.json() : undefined];
    };
    expect(await read(owner)).toEqual([200, event]);
    expect(await read(operator, '/v1/platform/audit/events')).toEqual([200, event]);
    expect(await read(other)).toEqual([404, undefined]);
    expect(await read(owner, '/v1/platform/audit/events')).toEqual([403, undefined]);
    for (const id of ['nonsense', formatId('audit', newId())])
      expect((await call(node.app, 'GET', `/v1/audit/events/${id}`, { key: owner })).statusCode).toBe(404);
  });

  test('a key for some agents knows of what is about these, and of what it did itself', async () => {
    const { key, secret, seen, unseen } = await twoAgents();
    const own = await call(
      node.app,
      'PATCH',
      `/v1/api-keys/${formatId('key', key.id)}`,
      { key: secret },
      { name: 'me' },
    );
    expect(own.statusCode).toBe(200);
    await bring();
    const { data } = await list(secret, '?limit=200');
    expect(new Set(data.map(({ id }: { id: string }) => id))).toEqual(
      new Set([
        ...seen,
        ...data
          .filter(({ actor }: { actor: { name: string } }) => actor.name === 'narrow')
          .map(({ id }: { id: string }) => id),
      ]),
    );
    expect(data.map(({ type }: { type: string }) => type)).toContain('auth.key.updated');
    const status = async (id: string, as: string) =>
      (await call(node.app, 'GET', `/v1/audit/events/${id}`, { key: as })).statusCode;
    for (const id of seen) expect(await status(id, secret)).toBe(200);
    for (const id of unseen) expect([await status(id, owner), await status(id, secret)]).toEqual([200, 404]);
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
    expect(many.length).toBe(501);
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
    const data = { email: 'nobody@acme.example', reason: 'sign-in-failed', operationId: 'auth.login', count: 1 };
    expect(signIn.data).toEqual(data);
  });

  test('so is what a handler refuses: beyond one’s rights, a link that is over, one guess too many; each once', async () => {
    await node.audit.flush();
    const before = (await bring()).length;
    const { secret } = await node.auth.keys.createKey(tenantId, { name: 'admin', role: 'admin' }, cause);
    const post = async (path: string, body: object, key?: string) =>
      (await call(node.app, 'POST', path, key === undefined ? {} : { key }, body)).statusCode;
    expect(await post('/v1/api-keys', { name: 'mightier', role: 'owner' }, secret)).toBe(403);
    const email = 'guest@acme.example';
    const { token } = await node.auth.invitations.invite(tenantId, { email, roles: ['viewer'] }, cause);
    const guest = { token, name: 'Guest', password: 'a quiet house by the lake' };
    expect(await post('/v1/auth/invitations/accept', guest)).toBe(200);
    expect(await post('/v1/auth/invitations/accept', guest)).toBe(401);
    expect(await post('/v1/auth/link', { token: 'nonsense' })).toBe(401);
    const guess = () => post('/v1/auth/login', { email, password: 'wrong' });
    let guesses = 1;
    while ((await guess()) === 401) guesses++;
    await node.audit.flush();
    const told = (await bring()).slice(before).filter(({ type }) => type.startsWith('security.'));
    expect(told.map((event) => [event.tenantId, event.type, event.data])).toEqual([
      [
        tenantId,
        'security.request.refused',
        { step: 'handle', problem: 'beyond-own-rights', operationId: 'auth.createKey', count: 1 },
      ],
      [
        tenantId,
        'security.sign_in.refused',
        { reason: 'link-invalid', operationId: 'auth.acceptInvitation', count: 1 },
      ],
      [platformTenantId, 'security.sign_in.refused', { reason: 'link-invalid', operationId: 'auth.useLink', count: 1 }],
      [
        tenantId,
        'security.sign_in.refused',
        { email, reason: 'sign-in-failed', operationId: 'auth.login', count: guesses - 1 },
      ],
      [
        platformTenantId,
        'security.sign_in.refused',
        { email, reason: 'sign-in-throttled', operationId: 'auth.login', count: 1 },
      ],
    ]);
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

  test('however long the database is away, and whoever is refused: bounded rows, every refusal counted, none at another tenant', async () => {
    await node.audit.flush();
    const before = (await bring()).length;
    const problem = new Problem(problems.forbidden);
    const { key } = await node.auth.keys.createKey(tenantId, { name: 'refused', role: 'viewer' }, cause);
    const principal = { kind: 'key', id: key.id, tenantId, name: 'refused', roles: [], mode: 'live' } as const;
    const refuse = (of: Parameters<typeof node.audit.refused>[0]['principal'], ip: string) =>
      node.audit.refused({ requestId: 'r', step: 's', problem, principal: of, arrival: arrival(ip), operationId: 'x' });
    const real = t.db.forPlatform;
    t.db.forPlatform = () => Promise.reject(new Error('away'));
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 1_000; i++) refuse(undefined, `10.${second}.${i >> 8}.${i & 255}`);
      refuse(principal, '127.0.0.1');
      await expect(node.audit.flush()).rejects.toThrow('away');
    }
    t.db.forPlatform = real;
    await node.audit.flush();
    const told = (await bring()).slice(before).filter(({ type }) => type === 'security.request.refused');
    expect(told.length).toBe(501);
    expect(told.reduce((sum, event) => sum + (event.data?.['count'] as number), 0)).toBe(5_005);
    expect(told.filter((event) => event.tenantId === tenantId)).toEqual([]);
    expect(told.at(-1)).toMatchObject({ tenantId: platformTenantId, data: { rest: true, count: 4_505 } });
  });

  test('entries are deleted after 400 days, and none early by a clock that runs ahead', async () => {
    const gone = (await node.tenancy.manager.createTenant({ name: 'Long ago' }, cause)).id;
    const key = (await node.auth.keys.createKey(gone, { name: 'owner', role: 'owner' }, cause)).secret;
    const told = async (days: number) => {
      const id = newId();
      const occurredAt = Temporal.Now.instant()
        .subtract({ hours: 24 * days })
        .toString();
      const subject = { kind: 'tenant', id: gone };
      await node.audit.manager.record({ id, version: 1, occurredAt, tenantId: gone, type: 'a.b.c', ...cause, subject });
      return formatId('audit', id);
    };
    const [old, young] = [await told(401), await told(399)];
    const left = async () => (await list(key, '?type=a.b.c')).data.map(({ id }: { id: string }) => id);
    const now = clock.now().toString();
    clock.jump(Temporal.Now.instant().subtract({ hours: 48 }).toString());
    await node.audit.manager.purge();
    expect(await left()).toEqual([young, old]);
    clock.jump('2126-01-01T00:00:00Z');
    await node.audit.manager.purge();
    expect(await left()).toEqual([young]);
    clock.jump(now);
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
