import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';

import { services } from '#kernel/database';
import { connectPlainly } from '#kernel/database-connector';

/** One migration: its file name (`YYYYMMDDHHMM-name.sql`, globally ordered) and its text. */
export type Migration = { readonly name: string; readonly sql: string };

const namePattern = /^\d{12}-[a-z0-9-]+\.sql$/;

/** Reads the migrations of the given folders in their global order; throws on a bad or repeated name. */
export async function readMigrations(folders: readonly URL[]): Promise<Migration[]> {
  const all: Migration[] = [];
  for (const folder of folders) {
    for (const name of await readdir(folder)) {
      if (!namePattern.test(name)) throw new Error(`A migration is named YYYYMMDDHHMM-name.sql, not ${name}.`);
      all.push({ name, sql: await readFile(new URL(name, folder), 'utf8') });
    }
  }
  all.sort((a, b) => (a.name < b.name ? -1 : 1));
  const stamps = all.map(({ name }) => name.slice(0, 12));
  const twice = stamps.find((stamp, index) => stamp === stamps[index + 1]);
  if (twice !== undefined) throw new Error(`Two migrations carry the time stamp ${twice}.`);
  return all;
}

/** Every role of the house: the owner of all tables, the two roles of the doors, and one for each service. */
export const databaseRoles = [
  'lintel_owner',
  'lintel_app',
  'lintel_platform',
  ...services.map((service) => `lintel_${service}`),
] as const;

const lockKey = 7_216_549_001;

/**
 * Brings a database to the present schema: makes the roles, lets `login` take them (all but the owner), and runs the
 * migrations not yet run, each in a transaction as `lintel_owner`, under one lock. Safe to run from several machines at once.
 * Returns the names of those it ran. Throws when a migration that was run has another text now.
 */
export async function migrate(adminUrl: string, login: string, migrations: readonly Migration[]): Promise<string[]> {
  const client = await connectPlainly(adminUrl);
  try {
    const version = Number((await client.query('SHOW server_version_num')).rows[0].server_version_num);
    if (version < 150_000) throw new Error(`PostgreSQL 15 or newer is needed; this is ${version}.`);
    await client.query('SELECT pg_advisory_lock($1)', [lockKey]);
    await makeRoles(client, login);
    await client.query('SET ROLE lintel_owner');
    await client.query(
      'CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const known = new Map<string, string>(
      (await client.query('SELECT name, checksum FROM schema_migrations')).rows.map((row) => [row.name, row.checksum]),
    );
    const ran: string[] = [];
    for (const { name, sql } of migrations) {
      const checksum = createHash('sha256').update(sql).digest('hex');
      const before = known.get(name);
      if (before !== undefined && before !== checksum)
        throw new Error(`The migration ${name} was changed after it ran.`);
      if (before !== undefined) continue;
      try {
        await client.query(`BEGIN;\n${sql}\n;`);
        await client.query('INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw new Error(`The migration ${name} failed: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
      ran.push(name);
    }
    return ran;
  } finally {
    await client.end();
  }
}

async function makeRoles(client: pg.Client, login: string): Promise<void> {
  for (const role of databaseRoles) {
    // Roles belong to the whole server: another database of it may be making them at this moment.
    await client.query(
      `DO $$ BEGIN CREATE ROLE ${role} NOLOGIN NOSUPERUSER NOBYPASSRLS; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
    );
  }
  // From PostgreSQL 16 on who makes a role is a member of it that may not SET ROLE to it, unless it is granted once more.
  const [{ number }] = (await client.query("SELECT current_setting('server_version_num')::int AS number")).rows;
  const right = number >= 160_000 ? 'SET' : 'MEMBER';
  const { rows } = await client.query(
    `SELECT rolname, pg_has_role($1, oid, $3) AS login_has, pg_has_role(current_user, oid, $3) AS admin_has FROM pg_roles WHERE rolname = ANY ($2)`,
    [login, databaseRoles, right],
  );
  const user = client.escapeIdentifier(login);
  for (const row of rows) {
    if (row.rolname === 'lintel_owner') {
      if (!row.admin_has) await client.query('GRANT lintel_owner TO CURRENT_USER');
    } else if (!row.login_has) {
      await client.query(`GRANT ${row.rolname} TO ${user}`);
    }
  }
  const { rows: may } = await client.query(
    `SELECT has_schema_privilege('lintel_owner', 'public', 'CREATE') AS ok, has_database_privilege('lintel_owner', current_database(), 'CREATE') AS db, current_database() AS name`,
  );
  if (!may[0].ok) await client.query('GRANT CREATE, USAGE ON SCHEMA public TO lintel_owner');
  if (!may[0].db)
    await client.query(`GRANT CREATE ON DATABASE ${client.escapeIdentifier(may[0].name)} TO lintel_owner`);
}
