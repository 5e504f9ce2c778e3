import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import { formatId } from '#kernel/ids';
import { platformTenantId } from '#tenancy';
import { type TestDatabase, testDatabase } from '#test/database';
import { call, cookieOf, type IdentityNode, identityNode } from '#test/identity';

import type { Mailer } from './links.ts';
import { inProcessHasher } from './password-hasher.ts';

let t: TestDatabase;
let node: IdentityNode;
const clock = new TestClock('2026-11-22T12:00:00Z', process.env['NODE_ENV']);
const cause = systemCause('test');
const password = 'correct horse battery';
const sent: { to: string; link: string; locale: string }[] = [];
let mailWorks = true;
const mailer: Mailer = {
  invitation: async (mail) => mailWorks && sent.push(mail) > 0,
  loginLink: async (mail) => mailWorks && sent.push(mail) > 0,
};
let operator: string;
let people = 0;

beforeAll(async () => {
  t = await testDatabase();
  node = await identityNode(t, { clock });
  operator = (await node.auth.keys.createKey(platformTenantId, { name: 'op' }, cause)).secret;
});
afterAll(async () => {
  await node.close();
  await t.close();
});

async function tenant() {
  return (await call(node.app, 'POST', '/v1/platform/tenants', { key: operator }, { name: `Acme ${++people}` })).json();
}
async function person(tenantId: string, roles: string[]) {
  const email = `p${++people}@acme.example`;
  const passwordHash = await inProcessHasher().hash(password);
  const user = await node.auth.members.createUser(tenantId, { email, name: `P ${people}`, roles, passwordHash }, cause);
  const cookie = cookieOf(await call(node.app, 'POST', '/v1/auth/login', {}, { email, password }));
  return { ...user, cookie, outside: formatId('user', user.id) };
}
async function house(...roles: string[]) {
  const made = await node.tenancy.manager.createTenant({ name: `House ${++people}` }, cause);
  return { tenantId: made.id, people: await Promise.all(roles.map((role) => person(made.id, [role]))) };
}
const tokenIn = (link: string) => link.split('#token=')[1] ?? '';
const accept = (token: string, more: object = {}) =>
  call(node.app, 'POST', '/v1/auth/invitations/accept', {}, { token, name: 'Ada', password, ...more });
const statusOf = async (cookie: string) => (await call(node.app, 'GET', '/v1/auth/session', { cookie })).statusCode;

describe('happy', () => {
  test('an operator invites the first owner of a tenant, who accepts, signs in, and invites on', async () => {
    const acme = await tenant();
    const invited = await call(
      node.app,
      'POST',
      `/v1/platform/tenants/${acme.id}/invitations`,
      { key: operator },
      { email: 'owner@acme.example', roles: ['owner'] },
    );
    expect(invited.statusCode).toBe(201);
    expect(invited.json()).toMatchObject({ delivery: 'link', email: 'owner@acme.example', roles: ['owner'] });
    const token = tokenIn(invited.json().link);
    const offer = (await call(node.app, 'POST', '/v1/auth/invitations/show', {}, { token })).json();
    expect(offer).toMatchObject({ email: 'owner@acme.example', tenant: acme.name, roles: ['owner'] });
    const accepted = await accept(token);
    expect(accepted.json()).toEqual({ signedIn: true });
    const cookie = cookieOf(accepted);
    const session = (await call(node.app, 'GET', '/v1/auth/session', { cookie })).json();
    expect(session).toMatchObject({ tenant: { id: acme.id }, roles: ['owner'], principal: { name: 'Ada' } });
    const on = await call(
      node.app,
      'POST',
      '/v1/members',
      { cookie },
      { email: 'dev@acme.example', roles: ['developer'] },
    );
    expect(on.statusCode).toBe(201);
    const open = (await call(node.app, 'GET', '/v1/members/invitations', { cookie })).json().data;
    expect(open.map((each: { email: string }) => each.email)).toEqual(['dev@acme.example']);
    expect(JSON.stringify(open)).not.toContain(tokenIn(on.json().link));
    await accept(tokenIn(on.json().link), { name: 'Dev' });
    const members = (await call(node.app, 'GET', '/v1/members', { cookie })).json().data;
    expect(members.map((each: { name: string; roles: string[] }) => [each.name, each.roles])).toEqual([
      ['Ada', ['owner']],
      ['Dev', ['developer']],
    ]);
  });

  test('with a mail server the link goes by mail alone; when that fails it is shown', async () => {
    const mailing = await identityNode(t, { clock, mailer });
    const {
      people: [owner],
    } = await house('owner');
    await mailing.snapshots.loadAll();
    const invite = (email: string) =>
      call(
        mailing.app,
        'POST',
        '/v1/members',
        { cookie: owner?.cookie ?? '' },
        { email, roles: ['viewer'], locale: 'zh-CN' },
      );
    const mailed = (await invite('mail@acme.example')).json();
    expect(mailed).toMatchObject({ delivery: 'mail', link: null });
    expect(sent.at(-1)).toMatchObject({ to: 'mail@acme.example', locale: 'zh-CN' });
    expect((await accept(tokenIn(sent.at(-1)?.link ?? ''))).statusCode).toBe(200);
    mailWorks = false;
    expect((await invite('fails@acme.example')).json()).toMatchObject({
      delivery: 'link',
      link: expect.stringContaining('#token='),
    });
    mailWorks = true;
    const before = sent.length;
    const ask = (email: string) => call(mailing.app, 'POST', '/v1/auth/links', {}, { email });
    const [known, unknown] = [await ask('mail@acme.example'), await ask('nobody@acme.example')];
    expect([known.statusCode, known.body]).toEqual([unknown.statusCode, unknown.body]);
    await expect.poll(() => sent.length).toBe(before + 1);
    const link = await call(node.app, 'POST', '/v1/auth/link', {}, { token: tokenIn(sent.at(-1)?.link ?? '') });
    expect(link.statusCode).toBe(200);
    await mailing.close();
  });

  test('new roles hold at once and end the sessions with the old ones; disabling ends them too', async () => {
    const {
      people: [owner, dev],
    } = await house('owner', 'developer');
    if (owner === undefined || dev === undefined) throw new Error('nobody');
    const as = { cookie: owner.cookie };
    const changed = await call(node.app, 'PATCH', `/v1/members/${dev.outside}`, as, { roles: ['viewer', 'billing'] });
    expect(changed.json().roles).toEqual(['viewer', 'billing']);
    expect(await statusOf(dev.cookie)).toBe(401);
    const again = cookieOf(await call(node.app, 'POST', '/v1/auth/login', {}, { email: dev.email, password }));
    expect((await call(node.app, 'GET', '/v1/auth/session', { cookie: again })).json().roles).toEqual([
      'billing',
      'viewer',
    ]);
    await call(node.app, 'PATCH', `/v1/members/${dev.outside}`, as, { name: 'New Name' });
    expect(await statusOf(again)).toBe(200);
    await call(node.app, 'PATCH', `/v1/members/${dev.outside}`, as, { status: 'disabled' });
    expect(await statusOf(again)).toBe(401);
    expect((await call(node.app, 'POST', '/v1/auth/login', {}, { email: dev.email, password })).statusCode).toBe(401);
  });

  test('a removed member is gone, the keys that they made go on and name them', async () => {
    const {
      people: [owner, dev],
    } = await house('owner', 'developer');
    if (owner === undefined || dev === undefined) throw new Error('nobody');
    const key = (await call(node.app, 'POST', '/v1/api-keys', { cookie: dev.cookie }, { name: 'service' })).json();
    expect((await call(node.app, 'DELETE', `/v1/members/${dev.outside}`, { cookie: owner.cookie })).statusCode).toBe(
      204,
    );
    expect(await statusOf(dev.cookie)).toBe(401);
    expect((await call(node.app, 'GET', `/v1/members/${dev.outside}`, { cookie: owner.cookie })).statusCode).toBe(404);
    expect((await call(node.app, 'GET', '/v1/auth/session', { key: key.key })).statusCode).toBe(200);
    const shown = (await call(node.app, 'GET', `/v1/api-keys/${key.id}`, { cookie: owner.cookie })).json();
    expect(shown.createdBy).toEqual({ kind: 'user', id: dev.outside, name: dev.name });
    // The address is free again.
    expect(
      (await call(node.app, 'POST', '/v1/members', { cookie: owner.cookie }, { email: dev.email, roles: ['viewer'] }))
        .statusCode,
    ).toBe(201);
  });

  test('who holds a permission', async () => {
    const {
      people: [owner],
    } = await house('owner', 'viewer');
    const all = (
      await call(node.app, 'GET', '/v1/permissions/holders?permission=agents:create', { cookie: owner?.cookie ?? '' })
    ).json();
    expect(all.data).toEqual([expect.objectContaining({ kind: 'user', id: owner?.outside, roles: ['owner'] })]);
  });
});

describe('errors', () => {
  test('invitations: unknown role, member already, bad address, bad password', async () => {
    const {
      tenantId,
      people: [owner],
    } = await house('owner');
    const as = { cookie: owner?.cookie ?? '' };
    const invite = (body: object) => call(node.app, 'POST', '/v1/members', as, body);
    expect((await invite({ email: 'x@acme.example', roles: ['king'] })).statusCode).toBe(400);
    expect((await invite({ email: 'x@acme.example', roles: ['platform_operator'] })).statusCode).toBe(400);
    expect((await invite({ email: 'x@acme.example', roles: [] })).statusCode).toBe(400);
    expect((await invite({ email: 'nonsense', roles: ['viewer'] })).statusCode).toBe(400);
    expect((await invite({ email: (owner?.email ?? '').toUpperCase(), roles: ['viewer'] })).statusCode).toBe(409);
    const { token } = await node.auth.invitations.invite(
      tenantId,
      { email: 'weak@acme.example', roles: ['viewer'] },
      cause,
    );
    const weak = await accept(token, { password: 'short' });
    expect([weak.statusCode, weak.json().errors[0].pointer]).toEqual([400, '/password']);
    expect((await accept(token)).statusCode).toBe(200);
  });

  test('the last active owner of a tenant can neither leave, be disabled nor lose the role; two cannot leave at once', async () => {
    const {
      tenantId,
      people: [one, two],
    } = await house('owner', 'owner');
    if (one === undefined || two === undefined) throw new Error('nobody');
    const giver = { tenantId, roles: ['owner'] };
    const both = await Promise.allSettled(
      [one, two].map((user) => node.auth.members.removeMember(tenantId, user.id, cause, giver)),
    );
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    const last = both[0]?.status === 'rejected' ? one : two;
    const as = { cookie: last.cookie };
    for (const change of [{ status: 'disabled' }, { roles: ['admin'] }]) {
      const answer = await call(node.app, 'PATCH', `/v1/members/${last.outside}`, as, change);
      expect([answer.statusCode, answer.json().type]).toEqual([409, 'https://lintel.dev/problems/last-owner']);
    }
    expect((await call(node.app, 'DELETE', `/v1/members/${last.outside}`, as)).statusCode).toBe(409);
    const heir = await person(tenantId, ['owner']);
    expect((await call(node.app, 'PATCH', `/v1/members/${heir.outside}`, as, { status: 'disabled' })).statusCode).toBe(
      200,
    );
    // A disabled owner is no heir.
    expect((await call(node.app, 'DELETE', `/v1/members/${last.outside}`, as)).statusCode).toBe(409);
  });
});

describe('security', () => {
  test('an invitation works once, until revoked, replaced or a week old', async () => {
    const {
      tenantId,
      people: [owner],
    } = await house('owner');
    const invite = async (email: string) => node.auth.invitations.invite(tenantId, { email, roles: ['viewer'] }, cause);
    const { token } = await invite('once@acme.example');
    const answers = await Promise.all([accept(token), accept(token), accept(token)]);
    expect(answers.map((answer) => answer.statusCode).sort()).toEqual([200, 401, 401]);
    const [old, newer] = [await invite('twice@acme.example'), await invite('twice@acme.example')];
    expect((await accept(old.token)).statusCode).toBe(401);
    const id = formatId('invitation', newer.invitation.id);
    const path = `/v1/members/invitations/${id}`;
    expect((await call(node.app, 'DELETE', path, { cookie: owner?.cookie ?? '' })).statusCode).toBe(204);
    expect((await call(node.app, 'DELETE', path, { cookie: owner?.cookie ?? '' })).statusCode).toBe(404);
    expect((await accept(newer.token)).statusCode).toBe(401);
    const late = await invite('late@acme.example');
    clock.advance({ hours: 24 * 7 });
    expect((await accept(late.token)).statusCode).toBe(401);
    expect((await accept('A'.repeat(43))).statusCode).toBe(401);
  });

  test('an admin makes no owner, unmakes none, and gets no link to sign in as one', async () => {
    const {
      people: [owner, admin],
    } = await house('owner', 'admin');
    if (owner === undefined || admin === undefined) throw new Error('nobody');
    const as = { cookie: admin.cookie };
    const tries = [
      await call(node.app, 'POST', '/v1/members', as, { email: 'o@acme.example', roles: ['owner'] }),
      await call(node.app, 'PATCH', `/v1/members/${admin.outside}`, as, { roles: ['owner'] }),
      await call(node.app, 'PATCH', `/v1/members/${owner.outside}`, as, { roles: ['viewer'] }),
      await call(node.app, 'PATCH', `/v1/members/${owner.outside}`, as, { status: 'disabled' }),
      await call(node.app, 'DELETE', `/v1/members/${owner.outside}`, as),
      await call(node.app, 'POST', `/v1/members/${owner.outside}/login-link`, as),
    ];
    expect(tries.map((answer) => answer.statusCode)).toEqual(Array(tries.length).fill(403));
    expect(
      (await call(node.app, 'POST', `/v1/members/${admin.outside}/login-link`, { cookie: owner.cookie })).statusCode,
    ).toBe(201);
  });

  test('a link made for what a member was does not sign in as what it has become', async () => {
    const {
      people: [owner, admin, viewer],
    } = await house('owner', 'admin', 'viewer');
    if (owner === undefined || admin === undefined || viewer === undefined) throw new Error('nobody');
    const path = `/v1/members/${viewer.outside}`;
    const made = await call(node.app, 'POST', `${path}/login-link`, { cookie: admin.cookie });
    expect(made.statusCode).toBe(201);
    const token = tokenIn(made.json().link);
    await call(node.app, 'PATCH', path, { cookie: owner.cookie }, { name: 'Same rights' });
    await call(node.app, 'PATCH', path, { cookie: owner.cookie }, { roles: ['owner'] });
    expect((await call(node.app, 'POST', '/v1/auth/link', {}, { token })).statusCode).toBe(401);
  });

  test('a key that is bound to a time or a place makes nobody who is not', async () => {
    const { tenantId, people } = await house('owner', 'viewer');
    const viewer = people[1];
    if (viewer === undefined) throw new Error('nobody');
    const { keys } = node.auth;
    const expiresAt = clock.now().add({ hours: 1 }).toString();
    const make = (more: object) => keys.createKey(tenantId, { name: 'k', role: 'admin', ...more }, cause);
    const old = await make({});
    const giver = { kind: 'user', tenantId, roles: ['owner'] } as const;
    await keys.rotateKey(tenantId, old.key.id, 1, cause, giver);
    const path = `/v1/members/${viewer.outside}`;
    for (const [key, status] of [
      [(await make({ expiresAt })).secret, 403],
      [(await make({ allowedIps: ['127.0.0.1'] })).secret, 403],
      [old.secret, 403],
      [(await make({})).secret, 201],
    ] as const) {
      const invited = await call(
        node.app,
        'POST',
        '/v1/members',
        { key },
        { email: 'n@acme.example', roles: ['viewer'] },
      );
      const link = await call(node.app, 'POST', `${path}/login-link`, { key });
      const ways = [invited.statusCode, link.statusCode];
      const changed = await call(node.app, 'PATCH', path, { key }, { roles: ['developer'] });
      const copy = await call(node.app, 'POST', '/v1/api-keys', { key }, { name: 'lasting', role: 'viewer' });
      expect([...ways, copy.statusCode]).toEqual([status, status, status]);
      expect(changed.statusCode).toBe(status === 201 ? 200 : 403);
    }
  });

  test('a key that may invite to tenants makes no operator with it', async () => {
    const scopes = ['platform-tenants:invite'];
    const { secret } = await node.auth.keys.createKey(platformTenantId, { name: 'narrow', scopes }, cause);
    const invite = (id: string, role: string) =>
      call(
        node.app,
        'POST',
        `/v1/platform/tenants/${id}/invitations`,
        { key: secret },
        { email: 'n@acme.example', roles: [role] },
      );
    expect((await invite((await tenant()).id, 'owner')).statusCode).toBe(201);
    expect((await invite(formatId('tenant', platformTenantId), 'platform_operator')).statusCode).toBe(404);
  });

  test("another tenant's people answer as unknown ones; roles decide", async () => {
    const [
      {
        people: [owner, viewer],
      },
      {
        people: [stranger],
      },
    ] = [await house('owner', 'viewer'), await house('owner')];
    if (owner === undefined || viewer === undefined || stranger === undefined) throw new Error('nobody');
    expect((await call(node.app, 'GET', `/v1/members/${viewer.outside}`, { cookie: owner.cookie })).statusCode).toBe(
      200,
    );
    const unknown = formatId('user', '018f0000-0000-7000-8000-00000000dead');
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { name: 'x' }],
      ['POST', '/login-link', undefined],
      ['DELETE', '', undefined],
    ] as const) {
      const theirs = await call(
        node.app,
        method,
        `/v1/members/${viewer.outside}${path}`,
        { cookie: stranger.cookie },
        body,
      );
      const none = await call(node.app, method, `/v1/members/${unknown}${path}`, { cookie: stranger.cookie }, body);
      const strip = ({ requestId: _, ...rest }: Record<string, unknown>) => rest;
      expect([theirs.statusCode, strip(theirs.json())]).toEqual([404, strip(none.json())]);
    }
    const denied = await call(
      node.app,
      'POST',
      '/v1/members',
      { cookie: viewer.cookie },
      { email: 'v@acme.example', roles: ['viewer'] },
    );
    expect([denied.statusCode, denied.json().permission]).toEqual([403, 'members:invite']);
    const platform = await call(node.app, 'GET', '/v1/platform/tenants', { cookie: owner.cookie });
    expect(platform.statusCode).toBe(403);
  });
});
