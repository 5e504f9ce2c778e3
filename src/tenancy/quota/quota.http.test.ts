import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { formatId, newId } from '#kernel/ids';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';

let t: TestApp;
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  t = await startTestApp();
  acme = await t.tenant('Acme', { timeZone: 'Asia/Shanghai' });
  other = await t.tenant('Other');
});
afterAll(() => t.close());

const operators = (tenant: TestTenant) => `/v1/platform/tenants/${tenant.id}/limits`;
const keyLimit = (more: object = {}) => ({
  scope: 'key',
  scopeId: formatId('key', newId()),
  resource: 'tokens',
  window: 'day',
  amount: '1000',
  ...more,
});

describe('happy', () => {
  test('a tenant sets, lists, changes and takes away limits of its keys and agents', async () => {
    const made = await t.call(
      acme.key,
      'POST',
      '/v1/limits',
      keyLimit({ resource: 'money', window: 'month', amount: '12.50' }),
    );
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      amount: '12.5',
      used: '0',
      reserved: '0',
      remaining: '12.5',
      enabled: true,
      burst: null,
    });
    expect(made.body['resetsAt']).toMatch(/T16:00:00Z$/);
    const path = `/v1/limits/${made.body['id']}`;
    const changed = await t.call(acme.key, 'PATCH', path, { amount: '20', enabled: false });
    expect(changed.body).toMatchObject({ amount: '20', enabled: false, scopeId: made.body['scopeId'] });
    const agent = await t.call(acme.key, 'POST', '/v1/limits', {
      ...keyLimit({ resource: 'requests', window: 'second', amount: '5', burst: 10 }),
      scope: 'agent',
      scopeId: formatId('agent', newId()),
    });
    expect(agent.status).toBe(201);
    const page = await t.call(acme.key, 'GET', '/v1/limits?limit=1');
    const next = await t.call(acme.key, 'GET', `/v1/limits?limit=1&cursor=${page.body['nextCursor']}`);
    expect([page, next].map(({ body }) => body['data']?.[0]?.['id'])).toEqual([made.body['id'], agent.body['id']]);
    const own = await t.call(acme.key, 'GET', `/v1/limits?scopeId=${agent.body['scopeId']}`);
    expect(own.body['data']).toHaveLength(1);
    expect((await t.call(acme.key, 'DELETE', path)).status).toBe(204);
    expect((await t.call(acme.key, 'DELETE', path)).status).toBe(404);
  });

  test('operators set the limits of a whole tenant, and it sees them; requests above them get 429 that says when', async () => {
    const made = await t.call(t.operatorKey, 'POST', operators(other), {
      scope: 'tenant',
      resource: 'requests',
      window: 'second',
      amount: '1',
      burst: 2,
    });
    expect(made.status).toBe(201);
    expect((await t.call(t.operatorKey, 'GET', operators(other))).body['data']).toHaveLength(1);
    const answers = await Promise.all(Array.from({ length: 8 }, () => t.call(other.key, 'GET', '/v1/limits')));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(refused[0]?.headers.get('ratelimit-policy')).toBe('"default";q=1;w=1');
    expect(refused[0]?.body).toMatchObject({
      limit: made.body['id'],
      scope: 'tenant',
      resource: 'requests',
      window: 'second',
      remaining: '0',
      resetsAt: expect.stringMatching(/Z$/),
    });
    const path = `${operators(other)}/${made.body['id']}`;
    expect((await t.call(t.operatorKey, 'PATCH', path, { amount: '100', burst: null })).body['amount']).toBe('100');
    expect((await t.call(t.operatorKey, 'DELETE', path)).status).toBe(204);
    expect((await t.call(other.key, 'GET', '/v1/limits')).status).toBe(200);
  });
});

describe('errors', () => {
  test.each([
    [{ amount: '1.5' }, '/amount'],
    [{ amount: '-1' }, '/amount'],
    [{ amount: '9'.repeat(30) }, '/amount'],
    [{ window: 'month', resource: 'requests' }, '/window'],
    [{ scopeId: null }, '/scopeId'],
    [{ scopeId: 'key_1' }, '/scopeId'],
    [{ burst: 3 }, '/burst'],
    [{ colour: 'red' }, '/colour'],
  ])('%j is refused with a pointer', async (wrong, pointer) => {
    const answer = await t.call(acme.key, 'POST', '/v1/limits', keyLimit(wrong));
    expect(answer.status).toBe(400);
    expect(answer.body['errors']).toMatchObject([{ pointer }]);
  });

  test('a second limit of a kind, an unknown tenant, an empty change and a foreign cursor', async () => {
    const body = keyLimit();
    const made = await t.call(acme.key, 'POST', '/v1/limits', body);
    expect((await t.call(acme.key, 'POST', '/v1/limits', body)).body['type']).toMatch(/limit-exists$/);
    expect((await t.call(acme.key, 'PATCH', `/v1/limits/${made.body['id']}`, {})).status).toBe(400);
    const nobody = `/v1/platform/tenants/${formatId('tenant', newId())}/limits`;
    expect((await t.call(t.operatorKey, 'POST', nobody, body)).status).toBe(404);
    expect((await t.call(t.operatorKey, 'GET', nobody)).status).toBe(404);
    expect((await t.call(acme.key, 'GET', '/v1/limits?cursor=bm9uZQ')).status).toBe(400);
  });
});

describe('security', () => {
  test('another tenant sees 404 as for what does not exist; a viewer may read only; a tenant’s own limits are operators’', async () => {
    const made = await t.call(acme.key, 'POST', '/v1/limits', keyLimit());
    const path = `/v1/limits/${made.body['id']}`;
    expect((await t.call(acme.key, 'PATCH', path, { amount: '7' })).status).toBe(200);
    const unknown = await t.call(other.key, 'PATCH', `/v1/limits/${formatId('limit', newId())}`, { amount: '7' });
    const foreign = await t.call(other.key, 'PATCH', path, { amount: '7' });
    expect({ ...foreign.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
    expect((await t.call(other.key, 'DELETE', path)).status).toBe(404);
    expect(
      (await t.call(t.operatorKey, 'PATCH', `${operators(other)}/${made.body['id']}`, { amount: '7' })).status,
    ).toBe(404);
    const viewer = await acme.keyOf('viewer');
    expect((await t.call(viewer, 'GET', '/v1/limits')).status).toBe(200);
    expect((await t.call(viewer, 'PATCH', path, { amount: '8' })).status).toBe(403);
    const whole = await t.call(t.operatorKey, 'POST', operators(acme), {
      ...keyLimit(),
      scope: 'tenant',
      scopeId: null,
    });
    expect(whole.status).toBe(201);
    for (const [method, body] of [
      ['PATCH', { amount: '9' }],
      ['DELETE', undefined],
    ] as const) {
      expect((await t.call(acme.key, method, `/v1/limits/${whole.body['id']}`, body)).status).toBe(403);
    }
    expect((await t.call(acme.key, 'POST', operators(acme), keyLimit())).status).toBe(403);
    expect((await t.call(undefined, 'GET', '/v1/limits')).status).toBe(401);
  });
});
