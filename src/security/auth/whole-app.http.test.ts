import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { formatId } from '#kernel/ids';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';

let app: TestApp;
let acme: TestTenant;
const password = 'correct horse battery';

beforeAll(async () => {
  app = await startTestApp();
  acme = await app.tenant('Acme');
});
afterAll(() => app.close());

const cookieOf = (headers: Headers) => (headers.get('set-cookie') ?? '').split(';')[0] ?? '';
const origin = () => ({ origin: app.url });

describe('happy', () => {
  test('the story: an operator invites, the invited accepts, signs in again, makes a key, and all of it is in the audit log', async () => {
    const invited = await app.call(app.operatorKey, 'POST', `/v1/platform/tenants/${acme.id}/invitations`, {
      email: 'ada@acme.example',
      roles: ['owner'],
    });
    expect(invited.status).toBe(201);
    const token = String(invited.body['link']).split('#token=')[1];
    const accepted = await app.call(undefined, 'POST', '/v1/auth/invitations/accept', { token, name: 'Ada', password });
    expect([accepted.status, accepted.body]).toEqual([200, { signedIn: true }]);
    const login = await app.call(
      undefined,
      'POST',
      '/v1/auth/login',
      { email: 'ada@acme.example', password },
      origin(),
    );
    const cookie = cookieOf(login.headers);
    const made = await app.call(undefined, 'POST', '/v1/api-keys', { name: 'first' }, { cookie, ...origin() });
    expect(made.status).toBe(201);
    expect((await app.call(made.body['key'], 'GET', '/v1/models')).status).toBe(200);
    await expect
      .poll(
        async () => {
          const page = await app.call(undefined, 'GET', '/v1/audit/events?limit=200', undefined, { cookie });
          return (page.body['data'] as unknown as { type: string }[]).map((event) => event.type);
        },
        { timeout: 10_000 },
      )
      .toEqual(
        expect.arrayContaining([
          'auth.key.created',
          'auth.session.started',
          'auth.user.created',
          'auth.invitation.created',
          'rbac.roles.assigned',
          'tenancy.tenant.created',
        ]),
      );
  });

  test('a key that is rotated is under the same limits as before', async () => {
    const { body: made } = await app.call(acme.key, 'POST', '/v1/api-keys', { name: 'capped' });
    const limit = { scope: 'key', resource: 'tokens', window: 'day', amount: '500' };
    const set = await app.call(acme.key, 'POST', '/v1/limits', { ...limit, scopeId: made['id'] });
    expect(set.status).toBe(201);
    const { body: next } = await app.call(acme.key, 'POST', `/v1/api-keys/${made['id']}/rotate`, {});
    const limits = async (key: unknown) =>
      (await app.call(acme.key, 'GET', `/v1/limits?scopeId=${key}`)).body['data'] as unknown as object[];
    expect(await limits(next['id'])).toMatchObject([{ ...limit, scopeId: next['id'], enabled: true }]);
    expect(await limits(made['id'])).toMatchObject([{ ...limit, scopeId: made['id'] }]);
  });

  test('every permission that a route asks for is in the vocabulary, and some role gives it', async () => {
    const vocabulary = new Set(app.app.modules.flatMap((module) => module.permissions ?? []).map(({ name }) => name));
    const asked = app.app.modules
      .flatMap((module) => module.routes ?? [])
      .flatMap(({ permission }) => permission ?? []);
    expect(asked.length).toBeGreaterThan(30);
    expect([...new Set(asked)].filter((name) => !vocabulary.has(name))).toEqual([]);
    const { rbac } = app.app.services;
    const given = (tenantId: string) => rbac.manager.rolesFor(tenantId).flatMap((role) => [...role.permissions]);
    const all = new Set([...given(acme.uuid), ...given('00000000-0000-7000-8000-000000000001')]);
    expect([...vocabulary].filter((name) => !all.has(name))).toEqual([]);
  });
});

describe('errors', () => {
  test('unknown members and keys', async () => {
    const none = '018f0000-0000-7000-8000-00000000dead';
    expect((await app.call(acme.key, 'GET', `/v1/members/${formatId('user', none)}`)).status).toBe(404);
    expect((await app.call(acme.key, 'GET', `/v1/api-keys/${formatId('key', none)}`)).status).toBe(404);
  });
});

describe('security', () => {
  test('a revoked key and a suspended tenant are refused by the whole app', async () => {
    const made = await app.call(acme.key, 'POST', '/v1/api-keys', { name: 'short-lived' });
    const key = String(made.body['key']);
    expect((await app.call(key, 'GET', '/v1/models')).status).toBe(200);
    await app.call(acme.key, 'DELETE', `/v1/api-keys/${made.body['id']}`);
    expect((await app.call(key, 'GET', '/v1/models')).body['error']).toMatchObject({ code: 'invalid_api_key' });
    const other = await app.tenant('Other');
    await app.call(app.operatorKey, 'POST', `/v1/platform/tenants/${other.id}/suspend`, {});
    const refused = await app.call(other.key, 'GET', '/v1/models');
    expect([refused.status, refused.body['error']]).toEqual([
      403,
      expect.objectContaining({ code: 'tenant_suspended' }),
    ]);
  });
});
