import { glob } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { kernelTables } from '#kernel/kernel-tables';
import { databaseRoles } from '#kernel/migrate';
import type { Table } from '#kernel/tables';
import { type TestDatabase, testDatabase } from '#test/database';

// biome-ignore lint/suspicious/noExplicitAny: rows of the catalogue, of whatever columns a query names
type CatalogueRow = Record<string, any>;

let t: TestDatabase;
let admin: pg.Client;
const declared = new Map<string, Table>();

beforeAll(async () => {
  t = await testDatabase();
  admin = new pg.Client({ connectionString: t.adminUrl });
  await admin.connect();
  const root = new URL('../src/', import.meta.url);
  const all: Table[] = [...kernelTables];
  for await (const file of glob('**/tables.ts', { cwd: root })) {
    if (file === 'kernel/tables.ts') continue;
    const exported = Object.values((await import(new URL(file, root).href)) as Record<string, Table[]>);
    all.push(...exported.flat());
  }
  for (const table of all) declared.set(table.name, table);
  expect(declared.size).toBe(all.length);
});
afterAll(async () => {
  await admin.end();
  await t.close();
});

/** Tables of the house: not partitions of others (those are reached through their parent). */
const tablesSql = `SELECT c.oid, c.relname AS name, c.relrowsecurity AS rls, c.relforcerowsecurity AS forced, r.rolname AS owner,
  EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant
  FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')`;

async function rows(sql: string, values: unknown[] = []) {
  return (await admin.query(sql, values)).rows as CatalogueRow[];
}

/** What is wrong with the catalogue: one line per fault. */
async function faults(): Promise<string[]> {
  const found: string[] = [];
  for (const { name, rls, forced, owner, has_tenant } of await rows(`${tablesSql} AND NOT c.relispartition`)) {
    const table = declared.get(name);
    if (table === undefined) found.push(`${name} is not declared in a tables.ts`);
    else if (table.home !== 'directory' && table.tenantRows !== has_tenant)
      found.push(`${name}: tenantRows is declared ${table.tenantRows}`);
    if (owner !== 'lintel_owner') found.push(`${name} belongs to ${owner}`);
    if (has_tenant && table?.home !== 'directory' && !(rls && forced))
      found.push(`${name} has tenant rows and no forced row-level security`);
  }
  for (const { name, rls, forced, has_tenant, grants } of await rows(
    `SELECT t.*, (SELECT count(*) FROM information_schema.role_table_grants g WHERE g.table_schema = 'public' AND g.table_name = t.name AND g.grantee <> 'lintel_owner')::int AS grants
     FROM (${tablesSql} AND c.relispartition) t`,
  )) {
    if (has_tenant && !(rls && forced)) found.push(`the partition ${name} has no forced row-level security`);
    if (grants > 0) found.push(`the partition ${name} can be reached beside its parent`);
  }
  const columns = await rows(
    `SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attname) AS columns FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.relname`,
  );
  for (const { name, columns: actual } of columns) {
    const wanted = Object.keys(declared.get(name)?.columns ?? {}).sort();
    const there = [...(actual as string[])].sort();
    if (JSON.stringify(wanted) !== JSON.stringify(there))
      found.push(`${name} has the columns ${there.join(' ')}, declared are ${wanted.join(' ')}`);
  }
  for (const name of declared.keys())
    if (!columns.some((row) => row['name'] === name)) found.push(`${name} is declared and does not exist`);
  // Unique keys and foreign keys begin with tenant_id.
  for (const { name, key, first } of await rows(
    `SELECT c.relname AS name, i.indexrelid::regclass::text AS key, a.attname AS first FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition`,
  )) {
    const table = declared.get(name);
    if (table?.tenantRows && table.home !== 'directory' && first !== 'tenant_id')
      found.push(`the unique key ${key} of ${name} begins with ${first}`);
  }
  for (const { name, key, first } of await rows(
    `SELECT c.relname AS name, k.conname AS key, a.attname AS first FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
     WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace`,
  )) {
    if (declared.get(name)?.tenantRows && declared.get(name)?.home !== 'directory' && first !== 'tenant_id')
      found.push(`the foreign key ${key} of ${name} begins with ${first}`);
  }
  return found;
}

test('every table is declared, owned by the owner, and keeps tenants apart', async () => {
  expect(await faults()).toEqual([]);
});

test('no role of the house is more than it should be', async () => {
  const roles = await rows(
    'SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = ANY ($1)',
    [[...databaseRoles]],
  );
  expect(roles).toHaveLength(databaseRoles.length);
  for (const role of roles)
    expect(role).toMatchObject({
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolcanlogin: false,
    });
});

test('what goes with a tenant can be deleted through the door that erases tenants', async () => {
  const erasable = [...declared.values()].filter(({ erased }) => erased === 'deleted');
  expect(erasable.length).toBeGreaterThan(15);
  const may = await rows(
    "SELECT t AS name, has_table_privilege('lintel_' || role, t, 'DELETE') AND has_table_privilege('lintel_' || role, t, 'SELECT') AS may FROM unnest($1::text[], $2::text[]) AS x (t, role)",
    [erasable.map(({ name }) => name), erasable.map(({ home }) => (home === 'directory' ? 'directory' : 'platform'))],
  );
  expect(may.filter((row) => !row['may']).map((row) => row['name'])).toEqual([]);
});

test('tables without a tenant are written by their services, not by tenants', async () => {
  const grants = await rows(
    "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'lintel_app' AND table_schema = 'public'",
  );
  const bad = grants.filter(
    ({ table_name, privilege_type }) =>
      declared.get(table_name)?.tenantRows === false && privilege_type !== 'SELECT' && table_name !== 'tenants',
  );
  expect(bad).toEqual([]);
});

test('planted faults are found: a table without RLS, an undeclared one, a key without the tenant', async () => {
  await admin.query('SET ROLE lintel_owner; CREATE TABLE planted (id uuid PRIMARY KEY, tenant_id uuid NOT NULL)');
  const found = await faults();
  expect(found).toContain('planted is not declared in a tables.ts');
  expect(found).toContain('planted has tenant rows and no forced row-level security');
  await admin.query('DROP TABLE planted; RESET ROLE');
  await admin.query('ALTER TABLE idempotency_keys NO FORCE ROW LEVEL SECURITY');
  expect(await faults()).toContain('idempotency_keys has tenant rows and no forced row-level security');
  await admin.query('ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY');
});

test('unfiltered SQL as the app role sees the rows of one tenant only', async () => {
  const tenant = '00000000-0000-7000-8000-0000000000aa';
  for (const { name, has_tenant } of await rows(`${tablesSql} AND NOT c.relispartition`)) {
    const may = (await rows('SELECT has_table_privilege($1, $2, $3) AS may', ['lintel_app', name, 'SELECT']))[0]?.[
      'may'
    ];
    if (!has_tenant || !may) continue;
    await t.db.forTenant(tenant, async (tx) => {
      const seen = await tx.query<{ tenantId: string }>(`SELECT DISTINCT tenant_id FROM ${name}`);
      expect(
        seen.every((row) => row.tenantId === tenant),
        name,
      ).toBe(true);
    });
  }
});
