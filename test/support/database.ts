import { createHash, randomBytes } from 'node:crypto';
import { glob } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { inject } from 'vitest';

import { Database } from '#kernel/database';
import { type Connector, createConnector } from '#kernel/database-connector';
import { migrate, readMigrations } from '#kernel/migrate';

/** Login of the program in tests: takes every role but the owner's, owns nothing. */
const login = 'lintel_login';
const loginPassword = 'lintel-test';

/** A database of its own for one test file, cloned from a template with every module's migrations. */
export type TestDatabase = {
  db: Database;
  connector: Connector;
  url: string;
  adminUrl: string;
  close(): Promise<void>;
};

/** The address of another database on the server that `adminUrl` names, as another user if given. */
export function addressOf(adminUrl: string, database: string, user?: { name: string; password: string }): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  if (user !== undefined) {
    url.username = user.name;
    url.password = user.password;
  }
  return url.toString();
}

/** Folders of all migrations, found where modules keep them. */
export async function migrationFolders(): Promise<URL[]> {
  const root = new URL('../../src/', import.meta.url);
  const folders: URL[] = [];
  for await (const folder of glob('**/migrations', { cwd: root }))
    folders.push(pathToFileURL(`${root.pathname}${folder}/`));
  return folders;
}

async function asAdmin<T>(adminUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Makes the template for the present migrations unless it is there; returns its name. */
export async function ensureTemplate(adminUrl: string): Promise<string> {
  const migrations = await readMigrations(await migrationFolders());
  const hash = createHash('sha256')
    .update(migrations.map(({ name, sql }) => `${name}\n${sql}`).join('\n'))
    .digest('hex')
    .slice(0, 16);
  const template = `lintel_template_${hash}`;
  await asAdmin(adminUrl, async (client) => {
    await client.query('SELECT pg_advisory_lock(721654)');
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [template]);
    if (rowCount === 1) return;
    await client.query(
      `DO $$ BEGIN CREATE ROLE ${login} LOGIN NOINHERIT PASSWORD '${loginPassword}'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
    );
    await client.query(`DROP DATABASE IF EXISTS ${template}_draft WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${template}_draft`);
    await migrate(addressOf(adminUrl, `${template}_draft`), login, migrations);
    await client.query(`ALTER DATABASE ${template}_draft RENAME TO ${template}`);
  });
  return template;
}

/** Clones the template; `close` drops the clone. Names in the clone are the test's alone. `server`: outside Vitest. */
export async function testDatabase(poolSize = 8, server: string = inject('adminUrl')): Promise<TestDatabase> {
  const template = await ensureTemplate(server);
  const name = `lintel_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await asAdmin(server, async (client) => {
    // Cloning needs the template without sessions; another worker may be cloning it at this moment.
    await client.query('SELECT pg_advisory_lock(721655)');
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  const url = addressOf(server, name, { name: login, password: loginPassword });
  const connector = createConnector(url, 'lintel-test');
  const db = new Database({ connector, poolSize });
  return {
    db,
    connector,
    url,
    adminUrl: addressOf(server, name),
    close: async () => {
      await db.close();
      await asAdmin(server, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}
