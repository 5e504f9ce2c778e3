import { glob } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import { formatId, parseId } from '#kernel/ids';
import type { Logger } from '#kernel/logger';
import type { Table } from '#kernel/tables';
import { type TestDatabase, testDatabase } from '#test/database';
import { call, type IdentityNode, identityNode } from '#test/identity';

import { platformTenantId, TenantManager } from './tenant-manager.ts';

let t: TestDatabase;
let node: IdentityNode;
const clock = new TestClock('2026-11-22T12:00:00Z', process.env['NODE_ENV']);
const cause = systemCause('test');
let operator: string;
let auditor: string;
let names = 0;

beforeAll(async () => {
  t = await testDatabase();
  node = await identityNode(t, { clock });
  operator = (await node.auth.keys.createKey(platformTenantId, { name: 'op' }, cause)).secret;
  auditor = (await node.auth.keys.createKey(platformTenantId, { name: 'au', role: 'platform_auditor' }, cause)).secret;
});
afterAll(async () => {
  await node.close();
  await t.close();
});

const path = '/v1/platform/tenants';
const create = (body: object, key = operator) => call(node.app, 'POST', path, { key }, body);
async function tenant(body: object = {}) {
  return (await create({ name: `Tenant ${++names}`, ...body })).json();
}
async function ownerKey(id: string) {
  return (await node.auth.keys.createKey(parseId('tenant', id) ?? '', { name: 'owner', role: 'owner' }, cause)).secret;
}
const own = (key: string) => call(node.app, 'GET', '/v1/tenant', { key });
/** Lets hours pass on the database's clock, as far as deletions go by it. */
const passDatabase = (hours: number) =>
  t.db.forPlatform((tx) =>
    tx.execute(`UPDATE tenants SET erase_after = erase_after - $1 * interval '1 hour'`, [hours]),
  );
/** Lets hours pass on both clocks. */
async function pass(hours: number): Promise<void> {
  clock.advance({ hours });
  await passDatabase(hours);
}
const post = (id: string, verb: string) => call(node.app, 'POST', `${path}/${id}/${verb}`, { key: operator }, {});

describe('happy', () => {
  test('a tenant is created with settings, read, listed, searched and changed', async () => {
    const made = await create({
      name: '门楣科技',
      slug: 'menmei',
      locale: 'zh-CN',
      timeZone: 'Asia/Shanghai',
      currency: 'CNY',
      staleGraceSeconds: 0,
    });
    expect(made.statusCode).toBe(201);
    const body = made.json();
    expect(body).toMatchObject({
      slug: 'menmei',
      status: 'active',
      locale: 'zh-CN',
      currency: 'CNY',
      demo: false,
      staleGraceSeconds: 0,
    });
    expect((await call(node.app, 'GET', `${path}/${body.id}`, { key: auditor })).json()).toEqual(body);
    const found = (
      await call(node.app, 'GET', `${path}?search=${encodeURIComponent('门楣')}`, { key: operator })
    ).json();
    expect(found.data.map((each: { slug: string }) => each.slug)).toEqual(['menmei']);
    const changed = await call(
      node.app,
      'PATCH',
      `${path}/${body.id}`,
      { key: operator },
      { name: 'Menmei', currency: 'USD', staleGraceSeconds: null },
    );
    expect(changed.json()).toEqual({ ...body, name: 'Menmei', currency: 'USD', staleGraceSeconds: null });
  });

  test('a slug is made from the name and made free by a number', async () => {
    const slugs = [];
    for (let i = 0; i < 3; i++) slugs.push((await create({ name: 'Same Name' })).json().slug);
    expect(slugs).toEqual(['same-name', 'same-name-2', 'same-name-3']);
    for (let i = 0; i < 25; i++) expect((await create({ name: 'Same Name' })).statusCode).toBe(201);
  });

  test('a list is paged; the platform tenant is not in it', async () => {
    for (let i = 0; i < 4; i++) await tenant();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { data: { slug: string }[]; nextCursor: string | null } = (
        await call(node.app, 'GET', `${path}?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`, { key: operator })
      ).json();
      seen.push(...page.data.map((each) => each.slug));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThanOrEqual(4);
    expect(seen).not.toContain('platform');
  });

  test('suspending refuses every call, reactivating takes it back', async () => {
    const { id } = await tenant();
    const key = await ownerKey(id);
    expect((await own(key)).json().id).toBe(id);
    expect((await post(id, 'suspend')).json().status).toBe('suspended');
    const refused = await own(key);
    expect([refused.statusCode, refused.json().type]).toEqual([403, 'https://lintel.dev/problems/tenant-suspended']);
    expect((await post(id, 'suspend')).statusCode).toBe(409);
    expect((await post(id, 'reactivate')).json().status).toBe('active');
    expect((await own(key)).statusCode).toBe(200);
    expect((await post(id, 'reactivate')).statusCode).toBe(409);
  });

  test('deletion closes at once, can be taken back in its time of grace, and erases after it', async () => {
    const { id } = await tenant({ slug: 'leaving' });
    const key = await ownerKey(id);
    const remove = () => call(node.app, 'DELETE', `${path}/${id}?graceDays=7`, { key: operator });
    expect((await remove()).json()).toMatchObject({ status: 'deleting', deleteAfter: '2026-11-29T12:00:00Z' });
    expect((await own(key)).json().type).toContain('tenant-deleted');
    expect((await post(id, 'reactivate')).json()).toMatchObject({ status: 'active', deleteAfter: null });
    expect((await own(key)).statusCode).toBe(200);
    await remove();
    await pass(24 * 7 - 1);
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(0);
    await pass(1);
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(1);
    expect((await own(key)).json().type).toContain('invalid-key');
    const gone = (await call(node.app, 'GET', `${path}/${id}`, { key: operator })).json();
    expect(gone).toMatchObject({ status: 'deleted', name: 'Deleted tenant' });
    expect((await post(id, 'reactivate')).statusCode).toBe(404);
    expect((await create({ name: 'New', slug: 'leaving' })).statusCode).toBe(201);
  });

  test('once the time of grace is over nothing takes a deletion back or puts it off: its rows are being erased', async () => {
    const { id } = await tenant();
    await call(node.app, 'DELETE', `${path}/${id}?graceDays=1`, { key: operator });
    await pass(24);
    const late = await post(id, 'reactivate');
    expect([late.statusCode, late.json().detail]).toEqual([409, expect.stringContaining('erased')]);
    const put = await call(node.app, 'DELETE', `${path}/${id}?graceDays=5`, { key: operator });
    expect(put.statusCode).toBe(409);
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(1);
  });

  test('a clock that is wrong, when the deletion is asked for or later, erases nobody early', async () => {
    const remove = async () => {
      const { id } = await tenant();
      await call(node.app, 'DELETE', `${path}/${id}?graceDays=7`, { key: operator });
      return id;
    };
    const right = clock.now().toString();
    const asked = await remove();
    clock.jump('2126-01-01T00:00:00Z');
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(0);
    clock.jump('1970-01-01T00:00:00Z');
    const behind = await remove();
    clock.jump(right);
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(0);
    await passDatabase(24 * 7);
    // The database's clock alone does not do it either.
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(1);
    expect((await post(asked, 'reactivate')).json()).toMatchObject({ status: 'active' });
    expect((await call(node.app, 'GET', `${path}/${behind}`, { key: operator })).json().status).toBe('deleted');
  });

  test('an erasure that has begun is never taken back, whatever a clock says; it goes on, and two at once are one', async () => {
    const { id } = await tenant();
    const tenantId = parseId('tenant', id) ?? '';
    await call(node.app, 'DELETE', `${path}/${id}?graceDays=7`, { key: operator });
    await t.db.forPlatform((tx) => tx.execute('UPDATE tenants SET erasing = true WHERE id = $1', [tenantId]));
    expect((await post(id, 'reactivate')).statusCode).toBe(409);
    expect((await call(node.app, 'DELETE', `${path}/${id}?graceDays=9`, { key: operator })).statusCode).toBe(409);
    const failed: unknown[] = [];
    const log = { error: (...words: unknown[]) => void failed.push(words) } as unknown as Logger;
    const { manager: other } = node.tenancy;
    // In the middle of one process's turn another does all of it.
    const settle = async () => void (await other.eraseDueTenants());
    const one = new TenantManager({ db: t.db, clock, log, tables: () => node.tables, settle });
    await one.eraseDueTenants();
    expect(failed).toEqual([]);
    expect((await call(node.app, 'GET', `${path}/${id}`, { key: operator })).json().status).toBe('deleted');
    const told = await t.db.forService('relay', (tx) =>
      tx.query(`SELECT 1 FROM outbox WHERE tenant_id = $1 AND event ->> 'type' = 'tenancy.tenant.deleted'`, [tenantId]),
    );
    expect(told.length).toBe(1);
  });

  test('a tenant that cannot be erased keeps no other waiting', async () => {
    const [stuck, other] = [await tenant(), await tenant()];
    for (const { id } of [stuck, other]) await call(node.app, 'DELETE', `${path}/${id}?graceDays=1`, { key: operator });
    const client = new pg.Client({ connectionString: t.adminUrl });
    await client.connect();
    await client.query(
      `CREATE TABLE holds (tenant_id uuid, id uuid, FOREIGN KEY (tenant_id, id) REFERENCES users (tenant_id, id))`,
    );
    const user = await node.auth.members.createUser(
      parseId('tenant', stuck.id) ?? '',
      { email: 'held@acme.example', name: 'H', roles: ['owner'] },
      cause,
    );
    await client.query('INSERT INTO holds VALUES ($1, $2)', [user.tenantId, user.id]);
    await pass(24);
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(1);
    const status = async (id: string) =>
      (await call(node.app, 'GET', `${path}/${id}`, { key: operator })).json().status;
    expect([await status(stuck.id), await status(other.id)]).toEqual(['deleting', 'deleted']);
    await client.query('DROP TABLE holds');
    await client.end();
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(1);
  });

  test('without grace nothing of the tenant is left in any table that says so, and all of its neighbour is', async () => {
    const all: Table[] = [];
    const root = new URL('../', import.meta.url);
    for await (const file of glob('*/**/tables.ts', { cwd: root }))
      if (!file.startsWith('kernel/'))
        all.push(...Object.values((await import(new URL(file, root).href)) as Record<string, Table[]>).flat());
    const other = await identityNode(t, {
      clock,
      tables: all.filter((table) => !node.tables.some((own) => own.name === table.name)),
    });
    const [leaver, neighbour] = [await tenant(), await tenant()];
    for (const { id } of [leaver, neighbour]) {
      await ownerKey(id);
      const tenantId = parseId('tenant', id) ?? '';
      const user = await node.auth.members.createUser(
        tenantId,
        { email: 'both@acme.example', name: 'B', roles: ['owner'] },
        cause,
      );
      const { token } = await node.auth.signIn.issueLoginLink(tenantId, user.id, 5, cause);
      await call(node.app, 'POST', '/v1/auth/link', {}, { token });
      await node.auth.invitations.invite(tenantId, { email: 'x@acme.example', roles: ['viewer'] }, cause);
    }
    const count = async (id: string) => {
      const client = new pg.Client({ connectionString: t.adminUrl });
      await client.connect();
      const counts: Record<string, number> = {};
      for (const table of other.tables.filter((each) => each.erased === 'deleted')) {
        const { rows } = await client.query(`SELECT count(*)::int AS n FROM ${table.name} WHERE tenant_id = $1`, [
          parseId('tenant', id),
        ]);
        if (rows[0].n > 0) counts[table.name] = rows[0].n;
      }
      await client.end();
      return counts;
    };
    const before = await count(neighbour.id);
    expect(before).toMatchObject({
      users: 1,
      sessions: 1,
      login_tokens: 1,
      invitations: 1,
      api_keys: 1,
      grants: 2,
      directory_emails: 1,
      directory_credentials: 4,
    });
    expect(await count(leaver.id)).toEqual(before);
    const removed = await call(other.app, 'DELETE', `${path}/${leaver.id}?graceDays=0`, { key: operator });
    expect(removed.json().status).toBe('deleted');
    expect(await count(leaver.id)).toEqual({});
    expect(await count(neighbour.id)).toEqual(before);
    await other.close();
  });

  test('what comes after the erasure is erased for a day, counted from it', async () => {
    const { id } = await tenant();
    const tenantId = parseId('tenant', id) ?? '';
    await call(node.app, 'DELETE', `${path}/${id}?graceDays=1`, { key: operator });
    await pass(24 * 5);
    expect(await node.tenancy.manager.eraseDueTenants()).toBe(1);
    const late = () =>
      t.db.forTenant(tenantId, (tx) =>
        tx.execute(`INSERT INTO grants VALUES ($1, 'user', $1, 'owner', clock_timestamp()) ON CONFLICT DO NOTHING`, [
          tenantId,
        ]),
      );
    const left = () => t.db.forTenant(tenantId, (tx) => tx.query('SELECT 1 FROM grants'));
    await pass(23);
    await late();
    await node.tenancy.manager.sweepErased();
    expect(await left()).toEqual([]);
    await pass(2);
    await late();
    await node.tenancy.manager.sweepErased();
    expect(await left()).toHaveLength(1);
  });

  test('a tenant changes its own name, language and zone', async () => {
    const { id, currency } = await tenant();
    const key = await ownerKey(id);
    const change = { name: 'Ours', locale: 'de-DE', timeZone: 'Europe/Berlin' };
    expect((await call(node.app, 'PATCH', '/v1/tenant', { key }, change)).json()).toMatchObject({
      id,
      currency,
      ...change,
    });
    expect((await call(node.app, 'GET', '/v1/auth/session', { key })).json().tenant).toMatchObject(change);
  });
});

describe('errors', () => {
  test.each([
    [{}, '/name'],
    [{ name: ' ' }, '/name'],
    [{ name: 'x', slug: 'Not A Slug' }, '/slug'],
    [{ name: 'x', slug: 'platform' }, '/slug'],
    [{ name: 'x', timeZone: 'Mars/Base' }, '/timeZone'],
    [{ name: 'x', currency: 'ZZZ' }, '/currency'],
    [{ name: 'x', locale: 'klingon!' }, '/locale'],
    [{ name: 'x', status: 'active' }, '/status'],
  ])('%j → 400 at %s', async (body, pointer) => {
    const answer = await create(body);
    expect([answer.statusCode, answer.json().errors[0].pointer]).toEqual([400, pointer]);
  });

  test('a taken slug, unknown ids, the platform tenant itself', async () => {
    await create({ name: 'x', slug: 'taken' });
    expect((await create({ name: 'y', slug: 'taken' })).statusCode).toBe(409);
    for (const id of ['nonsense', formatId('tenant', '018f0000-0000-7000-8000-00000000dead')]) {
      expect((await call(node.app, 'GET', `${path}/${id}`, { key: operator })).statusCode).toBe(404);
      expect((await post(id, 'suspend')).statusCode).toBe(404);
    }
    const platform = formatId('tenant', platformTenantId);
    expect((await post(platform, 'suspend')).json().type).toContain('tenant-reserved');
    expect((await call(node.app, 'DELETE', `${path}/${platform}`, { key: operator })).json().type).toContain(
      'tenant-reserved',
    );
  });
});

describe('security', () => {
  test('tenants reach no operator route, auditors change nothing', async () => {
    const { id } = await tenant();
    const key = await ownerKey(id);
    for (const [method, url] of [
      ['GET', path],
      ['GET', `${path}/${id}`],
      ['DELETE', `${path}/${id}`],
    ] as const) {
      expect((await call(node.app, method, url, { key })).statusCode).toBe(403);
      expect((await call(node.app, method, url, {})).statusCode).toBe(401);
    }
    expect((await create({ name: 'x' }, auditor)).statusCode).toBe(403);
    expect((await call(node.app, 'GET', path, { key: auditor })).statusCode).toBe(200);
  });

  test('a tenant writes neither its currency nor its status, by no way', async () => {
    const { id } = await tenant();
    const key = await ownerKey(id);
    expect((await call(node.app, 'PATCH', '/v1/tenant', { key }, { currency: 'EUR' })).statusCode).toBe(400);
    const tenantId = parseId('tenant', id) ?? '';
    for (const sql of ["UPDATE tenants SET status = 'active'", "UPDATE tenants SET currency = 'EUR'"])
      await expect(t.db.forTenant(tenantId, (tx) => tx.execute(sql))).rejects.toThrow('permission denied');
    const seen = await t.db.forTenant(tenantId, (tx) => tx.query('SELECT id FROM tenants'));
    expect(seen).toEqual([{ id: tenantId }]);
    expect(await t.db.forTenant(tenantId, (tx) => tx.execute("UPDATE tenants SET name = 'mine'"))).toBe(1);
  });
});
