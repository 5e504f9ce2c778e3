import { join } from 'node:path';
import { ConfigError, type KernelConfig } from '#kernel/config';
import { readServers } from '#kernel/database-address';
import { connectPlainly } from '#kernel/database-connector';
import type { Logger } from '#kernel/logger';
import { migrate, readMigrations } from '#kernel/migrate';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#kernel/postgres/embedded-cluster';
import { readRootKey, Sealer } from '#kernel/seal';

/** Where the house keeps its data, ready to be used: `url` is the program's own account, `adminUrl` the one for migrations. */
export type Premises = {
  url: string;
  adminUrl: string;
  rootKey: string;
  embedded: EmbeddedPostgres | undefined;
  /** True when one account does everything: SET LOCAL ROLE is all that keeps the program from owning its tables. */
  oneAccount: boolean;
};

const embeddedLogin = 'lintel_login';

/** The root secret: from the environment, or from its file; mandatory in the environment beside DATABASE_URL. */
export async function findRootKey(config: KernelConfig, dataDir: string): Promise<string> {
  if (config.LINTEL_ROOT_KEY !== '') return config.LINTEL_ROOT_KEY;
  if (config.DATABASE_URL !== undefined) {
    throw new ConfigError([
      'LINTEL_ROOT_KEY is needed beside DATABASE_URL: 64 hex digits, the same on every machine (make one with: openssl rand -hex 32)',
    ]);
  }
  return readRootKey(join(dataDir, 'root.key'));
}

/** Finds or starts PostgreSQL and says under which accounts it is used. */
export async function openPremises(config: KernelConfig, dataDir: string, log: Logger): Promise<Premises> {
  const rootKey = await findRootKey(config, dataDir);
  if (config.DATABASE_URL !== undefined) {
    return {
      url: config.DATABASE_URL,
      adminUrl: config.DATABASE_ADMIN_URL ?? config.DATABASE_URL,
      rootKey,
      embedded: undefined,
      oneAccount: config.DATABASE_ADMIN_URL === undefined,
    };
  }
  const embedded = await startEmbeddedPostgres({ dataDir, log });
  const password = new Sealer(rootKey).derive('database login').toString('base64url');
  await makeLogin(embedded.adminUrl, password);
  const account = (user: string, secret: string) =>
    `postgres://${user}:${encodeURIComponent(secret)}@${encodeURIComponent(embedded.host)}:${embedded.port}/lintel`;
  return {
    url: account(embeddedLogin, password),
    adminUrl: account(embedded.user, embedded.password),
    rootKey,
    embedded,
    oneAccount: false,
  };
}

/** Runs the migrations that are missing; returns their names. */
export async function migratePremises(
  premises: Pick<Premises, 'url' | 'adminUrl'>,
  folders: readonly URL[],
): Promise<string[]> {
  const login = readServers(premises.url)[0].user ?? 'lintel';
  return migrate(premises.adminUrl, login, await readMigrations(folders));
}

async function makeLogin(adminUrl: string, password: string): Promise<void> {
  const client = await connectPlainly(adminUrl);
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [embeddedLogin]);
    const verb = rowCount === 0 ? 'CREATE' : 'ALTER';
    await client.query(
      `${verb} ROLE ${embeddedLogin} LOGIN NOINHERIT NOSUPERUSER PASSWORD ${client.escapeLiteral(password)}`,
    );
    const { rowCount: there } = await client.query("SELECT 1 FROM pg_database WHERE datname = 'lintel'");
    if (there === 0) await client.query('CREATE DATABASE lintel');
  } finally {
    await client.end();
  }
}
