import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startTestApp, type TestApp, type TestTenant } from '#test/app';

let house: TestApp;
let tenant: TestTenant;

beforeAll(async () => {
  house = await startTestApp();
  tenant = await house.tenant('Twice');
});
afterAll(() => house.close());

const create = (key: string, idempotencyKey: string, body: object) =>
  house.call(key, 'POST', '/v1/api-keys', body, { 'idempotency-key': idempotencyKey });
const names = async () => {
  const { body } = await house.call(tenant.key, 'GET', '/v1/api-keys');
  return (body['data'] as unknown as { name: string }[]).map(({ name }) => name);
};

describe('happy', () => {
  test('a repeat gets the same answer but for the secret, and changes nothing', async () => {
    const first = await create(tenant.key, 'a', { name: 'once', role: 'viewer' });
    const again = await create(tenant.key, 'a', { name: 'once', role: 'viewer' });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body['id']).toBe(first.body['id']);
    expect(again.text).not.toContain(String(first.body['secret']));
    expect((await names()).filter((name) => name === 'once')).toHaveLength(1);
  });

  test('ten at once make one; the answers are one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => create(tenant.key, 'b', { name: 'together', role: 'viewer' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(new Array(10).fill(201));
    expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(1);
    expect((await names()).filter((name) => name === 'together')).toHaveLength(1);
  });
});

describe('errors', () => {
  test('a failed write keeps nothing: the key may be used again', async () => {
    const failed = await create(tenant.key, 'd', { name: 'no such role', role: 'emperor' });
    expect(failed.status).toBeGreaterThanOrEqual(400);
    expect((await create(tenant.key, 'd', { name: 'now', role: 'viewer' })).status).toBe(201);
  });

  test('what takes no key says so, and a key has a bound', async () => {
    expect((await create(tenant.key, 'x'.repeat(256), { name: 'long', role: 'viewer' })).status).toBe(400);
  });
});

describe('security', () => {
  test('a key is its principal’s own, and for one request', async () => {
    const other = await tenant.keyOf('admin');
    const mine = await create(tenant.key, 'c', { name: 'mine', role: 'viewer' });
    const theirs = await create(other, 'c', { name: 'theirs', role: 'viewer' });
    expect([mine.status, theirs.status]).toEqual([201, 201]);
    expect(theirs.headers.get('idempotency-replayed')).toBe(null);
    expect((await create(tenant.key, 'c', { name: 'changed', role: 'viewer' })).status).toBe(422);
  });

  test('nobody gets another’s answer for a key: not without a credential, not from another tenant', async () => {
    const body = { name: 'kept', role: 'viewer' };
    const first = await create(tenant.key, 'e', body);
    expect((await create(tenant.key, 'e', body)).headers.get('idempotency-replayed')).toBe('true');
    const nobody = await house.call(undefined, 'POST', '/v1/api-keys', body, { 'idempotency-key': 'e' });
    expect([nobody.status, nobody.headers.get('idempotency-replayed')]).toEqual([401, null]);
    expect((await create(await tenant.keyOf('viewer'), 'e', body)).status).toBe(403);
    const other = await house.tenant('Other');
    const theirs = await create(other.key, 'e', body);
    expect([theirs.status, theirs.headers.get('idempotency-replayed')]).toEqual([201, null]);
    expect(theirs.body['id']).not.toBe(first.body['id']);
  });
});
