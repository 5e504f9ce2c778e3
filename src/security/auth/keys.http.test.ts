import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import { Database } from '#kernel/database';
import { formatId } from '#kernel/ids';
import { type TestDatabase, testDatabase } from '#test/database';
import { call, type IdentityNode, identityNode } from '#test/identity';

import { KeyFormat } from './key-format.ts';

let t: TestDatabase;
let node: IdentityNode;
const clock = new TestClock('2026-11-22T12:00:00Z', process.env['NODE_ENV']);
const cause = systemCause('test');
let tenantId: string;
let otherId: string;
let admin: string;
let developer: string;
let other: string;

beforeAll(async () => {
  t = await testDatabase();
  node = await identityNode(t, { clock });
  tenantId = (await node.tenancy.manager.createTenant({ name: 'Acme' }, cause)).id;
  otherId = (await node.tenancy.manager.createTenant({ name: 'Other' }, cause)).id;
  const make = async (tenant: string, role: string) =>
    (await node.auth.keys.createKey(tenant, { name: role, role }, cause)).secret;
  [admin, developer, other] = [
    await make(tenantId, 'admin'),
    await make(tenantId, 'developer'),
    await make(otherId, 'admin'),
  ];
});
afterAll(async () => {
  await node.close();
  await t.close();
});

async function create(body: object, as = admin) {
  return (await call(node.app, 'POST', '/v1/api-keys', { key: as }, body)).json();
}
const use = (key: string, ip?: string) =>
  node.app.inject({
    url: '/v1/auth/session',
    headers: { authorization: `Bearer ${key}` },
    ...(ip ? { remoteAddress: ip } : {}),
  });

describe('happy', () => {
  test('a key is made, shown once, listed without its secret, and answers who it is', async () => {
    const made = await call(
      node.app,
      'POST',
      '/v1/api-keys',
      { key: admin },
      { name: 'ci', mode: 'test', scopes: ['agents:read'] },
    );
    expect(made.statusCode).toBe(201);
    const { key, id } = made.json();
    expect(key).toMatch(/^lt_test_[0-9A-Za-z]{46}$/);
    expect(made.json()).toMatchObject({
      name: 'ci',
      mode: 'test',
      role: 'developer',
      status: 'active',
      scopes: ['agents:read'],
    });
    const list = await call(node.app, 'GET', '/v1/api-keys', { key: admin });
    expect(list.json().data.map((row: { id: string }) => row.id)).toContain(id);
    expect(list.body).not.toContain(key);
    const session = (await use(key)).json();
    expect(session).toMatchObject({
      principal: { kind: 'key', id, mode: 'test' },
      roles: ['developer'],
      permissions: ['agents:read'],
    });
  });

  test('pages follow one another and end', async () => {
    for (let i = 0; i < 5; i++) await create({ name: `page ${i}` });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { data: { id: string }[]; nextCursor: string | null } = (
        await call(node.app, 'GET', `/v1/api-keys?limit=2${cursor ? `&cursor=${cursor}` : ''}`, { key: admin })
      ).json();
      expect(page.data.length).toBeLessThanOrEqual(2);
      seen.push(...page.data.map((row) => row.id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThanOrEqual(7);
  });

  test('a rotated key works beside the new one until the overlap ends, and has the same restrictions', async () => {
    const old = await create({ name: 'turn', scopes: ['agents:read'], allowedIps: ['127.0.0.0/8'] });
    const next = (
      await call(node.app, 'POST', `/v1/api-keys/${old.id}/rotate`, { key: admin }, { overlapHours: 2 })
    ).json();
    expect(next).toMatchObject({
      name: 'turn',
      scopes: ['agents:read'],
      allowedIps: ['127.0.0.0/8'],
      rotatedFrom: old.id,
      role: 'developer',
    });
    expect([(await use(old.key)).statusCode, (await use(next.key)).statusCode]).toEqual([200, 200]);
    expect((await call(node.app, 'POST', `/v1/api-keys/${old.id}/rotate`, { key: admin }, {})).statusCode).toBe(409);
    clock.advance({ hours: 2 });
    expect((await use(old.key)).json().type).toContain('key-expired');
    expect((await use(next.key)).statusCode).toBe(200);
    const last = (
      await call(node.app, 'POST', `/v1/api-keys/${next.id}/rotate`, { key: admin }, { overlapHours: 0 })
    ).json();
    expect((await use(next.key)).json().type).toContain('key-revoked');
    expect((await use(last.key)).statusCode).toBe(200);
  });

  test('last used is written in batches, at most once a minute', async () => {
    const made = await create({ name: 'used' });
    const stop = await node.auth.start?.('front');
    const lastUsed = async () =>
      (await call(node.app, 'GET', `/v1/api-keys/${made.id}`, { key: admin })).json().lastUsedAt;
    await use(made.key);
    const first = clock.now().toString();
    expect(await lastUsed()).toBe(null);
    await vi.waitFor(async () => expect(Date.parse(await lastUsed())).toBe(Date.parse(first)), {
      timeout: 12_000,
      interval: 200,
    });
    clock.advance({ seconds: 30 });
    await use(made.key);
    await stop?.();
    expect(Date.parse(await lastUsed())).toBe(Date.parse(first));
  });
});

describe('errors', () => {
  test.each([
    [{ name: '' }, '/name'],
    [{ name: 'x', scopes: ['agents:fly'] }, '/scopes/0'],
    [{ name: 'x', scopes: ['platform-nodes:read'] }, '/scopes/0'],
    [{ name: 'x', allowedIps: ['300.1.1.1'] }, '/allowedIps/0'],
    [{ name: 'x', expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
    [{ name: 'x', role: 'king' }, '/role'],
    [{ name: 'x', role: 'platform_operator' }, '/role'],
    [{ name: 'x', agents: ['agt_nonsense'] }, '/agents/0'],
    [{ name: 'x', colour: 'red' }, '/colour'],
  ])('%j → 400 at %s', async (body, pointer) => {
    const answer = await call(node.app, 'POST', '/v1/api-keys', { key: admin }, body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().errors.map((place: { pointer: string }) => place.pointer)).toContain(pointer);
  });

  test('an expired key says so; a revoked one too, at once', async () => {
    const soon = await create({ name: 'soon', expiresAt: clock.now().add({ minutes: 5 }).toString() });
    expect((await use(soon.key)).statusCode).toBe(200);
    clock.advance({ minutes: 5 });
    expect((await use(soon.key)).json().type).toContain('key-expired');
    const gone = await create({ name: 'gone' });
    expect((await use(gone.key)).statusCode).toBe(200);
    expect((await call(node.app, 'DELETE', `/v1/api-keys/${gone.id}`, { key: admin })).json().status).toBe('revoked');
    const answer = await use(gone.key);
    expect([answer.statusCode, answer.json().type]).toEqual([401, 'https://lintel.dev/problems/key-revoked']);
    const change = await call(node.app, 'PATCH', `/v1/api-keys/${gone.id}`, { key: admin }, { name: 'again' });
    expect(change.statusCode).toBe(409);
  });

  test('a bad cursor and a bad Authorization are refused', async () => {
    expect((await call(node.app, 'GET', '/v1/api-keys?cursor=AAAA', { key: admin })).statusCode).toBe(400);
    const basic = await node.app.inject({ url: '/v1/api-keys', headers: { authorization: 'Basic eDp5' } });
    expect(basic.statusCode).toBe(401);
    expect((await node.app.inject({ url: '/v1/api-keys' })).statusCode).toBe(401);
  });
});

describe('security', () => {
  test('a made-up key costs no SQL; a real one that memory does not know costs one look-up; one that memory knows none', async () => {
    const doors = vi.spyOn(Database.prototype, 'forService');
    const tenants = vi.spyOn(Database.prototype, 'forTenant');
    try {
      const forged = `lt_live_${'A'.repeat(46)}`;
      expect((await use(forged)).json().type).toContain('invalid-key');
      expect((await use('sk-whatever')).statusCode).toBe(401);
      expect((await use(new KeyFormat(node.sealer).mint('live').replace(/.{6}$/, '000000'))).statusCode).toBe(401);
      // The last one has a good MAC over its beginning: it is looked up, and found nowhere.
      expect(doors).toHaveBeenCalledTimes(1);
      expect((await use(admin)).statusCode).toBe(200);
      expect(doors).toHaveBeenCalledTimes(1);
      expect(tenants).not.toHaveBeenCalled();
    } finally {
      doors.mockRestore();
      tenants.mockRestore();
    }
  });

  test('an address outside the allow-list is refused', async () => {
    const made = await create({ name: 'office', allowedIps: ['198.51.100.0/24', '2001:db8::/48'] });
    expect((await use(made.key, '198.51.100.77')).statusCode).toBe(200);
    expect((await use(made.key, '2001:db8::77')).statusCode).toBe(200);
    const answer = await use(made.key, '203.0.113.1');
    expect([answer.statusCode, answer.json().type]).toEqual([403, 'https://lintel.dev/problems/address-not-allowed']);
    await call(node.app, 'PATCH', `/v1/api-keys/${made.id}`, { key: admin }, { allowedIps: null });
    expect((await use(made.key, '203.0.113.1')).statusCode).toBe(200);
  });

  test('scopes cut a key down, and no key makes one mightier than itself', async () => {
    const narrow = await create({ name: 'narrow', scopes: ['api-keys:create', 'api-keys:update'] });
    expect((await call(node.app, 'GET', '/v1/api-keys', { key: narrow.key })).statusCode).toBe(403);
    const up = await call(node.app, 'POST', '/v1/api-keys', { key: narrow.key }, { name: 'up' });
    expect([up.statusCode, up.json().type]).toEqual([403, 'https://lintel.dev/problems/beyond-own-rights']);
    expect(
      (await call(node.app, 'POST', '/v1/api-keys', { key: narrow.key }, { name: 'same', scopes: ['api-keys:create'] }))
        .statusCode,
    ).toBe(201);
    const wider = await call(node.app, 'PATCH', `/v1/api-keys/${narrow.id}`, { key: narrow.key }, { scopes: null });
    expect(wider.statusCode).toBe(403);
    for (const role of ['admin', 'owner'])
      expect((await call(node.app, 'POST', '/v1/api-keys', { key: developer }, { name: 'up', role })).statusCode).toBe(
        403,
      );
    const mine = await create({ name: 'admins', role: 'admin' });
    const rotate = await call(node.app, 'POST', `/v1/api-keys/${mine.id}/rotate`, { key: developer }, {});
    expect(rotate.statusCode).toBe(403);
  });

  test('a key with a restriction gives none away: agents, test mode, expiry, addresses', async () => {
    const [one, two] = ['018f0000-0000-7000-8000-00000000000a', '018f0000-0000-7000-8000-00000000000b'].map((id) =>
      formatId('agent', id),
    );
    const soon = clock.now().add({ hours: 1 }).toString();
    const later = clock.now().add({ hours: 2 }).toString();
    for (const [restriction, narrower, wider] of [
      [{ agents: [one] }, [{ agents: [one] }], [{}, { agents: [one, two] }, { agents: null }]],
      [{ mode: 'test' }, [{ mode: 'test' }], [{}, { mode: 'live' }]],
      [{ expiresAt: soon }, [{ expiresAt: soon }], [{}, { expiresAt: later }]],
      [
        { allowedIps: ['127.0.0.0/8'] },
        [{ allowedIps: ['127.0.0.1', '127.1.0.0/16'] }],
        [{}, { allowedIps: ['127.0.0.1', '10.0.0.0/8'] }, { allowedIps: ['0.0.0.0/0'] }],
      ],
    ] as const) {
      const { id, key } = await create({ name: 'restricted', role: 'admin', ...restriction });
      const free = await create({ name: 'free', role: 'admin' });
      const send = (method: 'POST' | 'PATCH', path: string, body: object) =>
        call(node.app, method, `/v1/api-keys${path}`, { key }, body);
      for (const more of narrower)
        expect([more, (await send('POST', '', { name: 'narrower', ...more })).statusCode]).toEqual([more, 201]);
      for (const more of wider) {
        const answer = await send('POST', '', { name: 'wider', ...more });
        expect([more, answer.statusCode, answer.json().type]).toEqual([
          more,
          403,
          'https://lintel.dev/problems/beyond-own-rights',
        ]);
      }
      const { mode: _, ...open } = wider.at(-1) as { mode?: string };
      if (Object.keys(open).length > 0) expect((await send('PATCH', `/${id}`, open)).statusCode).toBe(403);
      expect((await send('POST', `/${free.id}/rotate`, {})).statusCode).toBe(403);
      expect((await send('PATCH', `/${id}`, { name: 'renamed' })).statusCode).toBe(200);
      if ('agents' in restriction || 'mode' in restriction) {
        const invite = { email: 'eve@acme.example', roles: ['viewer'] };
        expect((await call(node.app, 'POST', '/v1/members', { key }, invite)).statusCode).toBe(403);
      }
    }
  });

  test('nobody changes a key that is mightier than themselves, not even to a weaker one', async () => {
    const mighty = await create({ name: 'mighty', role: 'admin' });
    for (const change of [{ role: 'developer' }, { role: 'viewer', name: 'x' }, { scopes: [] }])
      expect((await call(node.app, 'PATCH', `/v1/api-keys/${mighty.id}`, { key: developer }, change)).statusCode).toBe(
        403,
      );
    expect((await use(mighty.key)).json().roles).toEqual(['admin']);
  });

  test("another tenant's key answers as an unknown one", async () => {
    const made = await create({ name: 'ours' });
    const unknown = formatId('key', '018f0000-0000-7000-8000-00000000dead');
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { name: 'x' }],
      ['POST', '/rotate', {}],
      ['DELETE', '', undefined],
    ] as const) {
      const theirs = await call(node.app, method, `/v1/api-keys/${made.id}${path}`, { key: other }, body);
      const none = await call(node.app, method, `/v1/api-keys/${unknown}${path}`, { key: other }, body);
      const bad = await call(node.app, method, `/v1/api-keys/nonsense${path}`, { key: other }, body);
      const strip = ({ requestId: _, ...rest }: Record<string, unknown>) => rest;
      expect(theirs.statusCode).toBe(404);
      expect(strip(theirs.json())).toEqual(strip(none.json()));
      expect(strip(bad.json())).toEqual(strip(none.json()));
    }
    expect((await use(made.key)).statusCode).toBe(200);
    const cursor = Buffer.from(JSON.stringify(['ffffffff-ffff-7fff-bfff-ffffffffffff'])).toString('base64url');
    const list = await call(node.app, 'GET', `/v1/api-keys?cursor=${cursor}`, { key: other });
    expect(list.json().data.map((row: { name: string }) => row.name)).toEqual(['admin']);
  });

  test('a suspended tenant is refused on every key, and let in again', async () => {
    await node.tenancy.manager.suspendTenant(otherId, 'unpaid', cause);
    expect((await use(other)).json().type).toContain('tenant-suspended');
    await node.tenancy.manager.reactivateTenant(otherId, cause);
    expect((await use(other)).statusCode).toBe(200);
  });

  test('a secret shown once is not kept for a repeat of the request', async () => {
    const headers = { 'idempotency-key': 'once-1' };
    const first = await call(node.app, 'POST', '/v1/api-keys', { key: admin }, { name: 'once' }, headers);
    const again = await call(node.app, 'POST', '/v1/api-keys', { key: admin }, { name: 'once' }, headers);
    expect([first.statusCode, again.statusCode, again.json().id]).toEqual([201, 201, first.json().id]);
    expect(first.json().key).toMatch(/^lt_live_/);
    expect(again.json().key).toBe('lt_live_[redacted]');
  });
});
