import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

import { type App, createApp, migrationFolders, readAppConfig } from '#app';
import { systemCause } from '#kernel/cause';
import { createConnector } from '#kernel/database-connector';
import { formatId } from '#kernel/ids';
import { createLogger } from '#kernel/logger';
import { migrate, readMigrations } from '#kernel/migrate';
import { embeddedPostgresHome } from '#kernel/postgres/cluster-home';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#kernel/postgres/embedded-cluster';
import { addressOf } from '#test/database';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const login = { name: 'lintel_login', password: 'lintel-test' };

/** A database that several installations share, with their root secret: what two machines have in common. */
export type Ground = {
  readonly dir: string;
  /** The program's own account. */
  readonly url: string;
  /** The owner's account, for looking behind the API. */
  readonly adminUrl: string;
  readonly rootKey: string;
  /** The PostgreSQL that was started for it; undefined on a given server. */
  readonly postgres: EmbeddedPostgres | undefined;
  /** Stops that PostgreSQL and starts it again on the same address after `ms`. */
  away(ms: number): Promise<void>;
  /** Asks the database as its owner. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Folds everything up; installations must have ended. */
  close(): Promise<void>;
};

/**
 * Makes a migrated database: on a PostgreSQL of its own that keeps what it commits (fsync), or on the server of `adminUrl`.
 */
export async function openGround(more: { adminUrl?: string } = {}): Promise<Ground> {
  const dir = await mkdtemp(join(tmpdir(), 'lintel-ground-'));
  await chmod(dir, 0o755);
  const log = createLogger(process.env['TEST_LOG'] ?? 'warn');
  const start = () => startEmbeddedPostgres({ dataDir: join(dir, 'pg'), log });
  let postgres = more.adminUrl === undefined ? await start() : undefined;
  const server = more.adminUrl ?? (postgres as EmbeddedPostgres).adminUrl;
  const name = `lintel_ground_${process.pid}_${randomBytes(4).toString('hex')}`;
  const onServer = async (statements: string[]) => {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  };
  await onServer([
    `DO $$ BEGIN CREATE ROLE ${login.name} LOGIN NOINHERIT PASSWORD '${login.password}'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
    `CREATE DATABASE ${name}`,
  ]);
  const adminUrl = addressOf(server, name);
  await migrate(adminUrl, login.name, await readMigrations(migrationFolders));
  const pool = new pg.Pool({ connectionString: adminUrl, max: 2 });
  pool.on('error', () => undefined);
  return {
    dir,
    url: addressOf(server, name, login),
    adminUrl,
    rootKey: randomBytes(32).toString('hex'),
    get postgres() {
      return postgres;
    },
    away: async (ms) => {
      await postgres?.stop();
      await sleep(ms);
      postgres = await start();
    },
    query: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await pool.query(text, [...values])).rows as Row[],
    close: async () => {
      await pool.end();
      if (postgres === undefined) await onServer([`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`]);
      else {
        await postgres.stop();
        await rm(await embeddedPostgresHome(join(dir, 'pg')), { recursive: true, force: true });
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** One `main.ts start` as a real process, in a data folder of its own. */
export type Installation = {
  readonly name: string;
  readonly url: string;
  readonly dataDir: string;
  /** Milliseconds from spawn to the first ready answer. */
  readonly readyMs: number;
  /** The supervisor. */
  readonly pid: number;
  /** Pids of the children that live now, from the system's own table. */
  children(): Promise<{ pid: number; role: 'front' | 'background' }[]>;
  /** SIGKILL of the supervisor and all its children at once: the machine is gone. */
  vanish(): Promise<void>;
  /** Asks it to end in order; resolves when it has. */
  stop(): Promise<void>;
  /** What it wrote so far. */
  log(): Promise<string>;
};

/** Starts an installation on a ground and waits until it answers. */
export async function startInstallation(
  ground: Pick<Ground, 'dir' | 'url' | 'adminUrl' | 'rootKey'>,
  name: string,
  more: {
    args?: string[];
    env?: Record<string, string>;
    port?: number;
    /** True: with an embedded PostgreSQL and a root key of its own, as `npm start` does without any setting. */
    standalone?: boolean;
  } = {},
): Promise<Installation> {
  const dataDir = join(ground.dir, name);
  await mkdir(dataDir, { recursive: true });
  const port = more.port ?? (await freePort());
  const logFile = join(ground.dir, `${name}.log`);
  const started = performance.now();
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^(LINTEL_|DATABASE_|VITEST|NODE_OPTIONS)/.test(key)),
  );
  const child: ChildProcess = spawn(
    process.execPath,
    [main, 'start', '--data-dir', dataDir, '--port', String(port), '--no-demo', ...(more.args ?? [])],
    {
      env: {
        ...inherited,
        ...(more.standalone === true
          ? {}
          : { DATABASE_URL: ground.url, DATABASE_ADMIN_URL: ground.adminUrl, LINTEL_ROOT_KEY: ground.rootKey }),
        ...more.env,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A process group of its own, which can be signalled whole.
      detached: true,
    },
  );
  const sink = createWriteStream(logFile, { flags: 'a' });
  child.stdout?.pipe(sink, { end: false });
  child.stderr?.pipe(sink, { end: false });
  const log = () => readFile(logFile, 'utf8').catch(() => '');
  let ended = false;
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      ended = true;
      resolve();
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  const children = () => childrenOf(child.pid as number);
  const installation: Installation = {
    name,
    url,
    dataDir,
    get readyMs() {
      return readyMs;
    },
    pid: child.pid as number,
    children,
    log,
    vanish: async () => {
      const pids = (await children()).map(({ pid }) => pid);
      for (const pid of [child.pid as number, ...pids]) kill(pid, 'SIGKILL');
      await exited;
    },
    stop: async () => {
      if (!ended) child.kill('SIGTERM');
      await exited;
      sink.end();
    },
  };
  let readyMs = 0;
  for (const end = performance.now() + 60_000; ; ) {
    if (ended || performance.now() > end) throw new Error(`${name} did not start:\n${(await log()).slice(-4_000)}`);
    const ready = await fetch(`${url}/readyz`).catch(() => undefined);
    if (ready?.ok === true) break;
    await sleep(20);
  }
  readyMs = performance.now() - started;
  return installation;
}

/** Sends a signal to a process; one that is gone is no error. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function childrenOf(parent: number): Promise<{ pid: number; role: 'front' | 'background' }[]> {
  const text = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8').catch(() => '');
  const found: { pid: number; role: 'front' | 'background' }[] = [];
  for (const pid of text.split(' ').filter(Boolean).map(Number)) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    const role = /LINTEL_INTERNAL_CHILD=\{"role":"(front|background)"/.exec(environment)?.[1];
    if (role === 'front' || role === 'background') found.push({ pid, role });
  }
  return found;
}

/** A free loopback port. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Opens the house without serving, to make tenants and keys by the ordinary operations; call `close` when done. */
export async function openSetup(ground: Pick<Ground, 'url' | 'rootKey'>): Promise<{
  app: App;
  tenant(name: string): Promise<{ id: string; uuid: string }>;
  /** An API key of a tenant. */
  key(tenantUuid: string, role?: string): Promise<{ id: string; secret: string }>;
  close(): Promise<void>;
}> {
  const app = await createApp({
    role: 'setup',
    config: readAppConfig({}),
    connector: createConnector(ground.url, 'lintel-setup'),
    rootKey: ground.rootKey,
    log: createLogger('silent'),
    baseUrl: 'http://127.0.0.1',
  });
  await app.start();
  const { tenancy, auth } = app.services;
  return {
    app,
    tenant: async (name) => {
      const row = await tenancy.manager.createTenant({ name }, systemCause('setup'));
      return { id: formatId('tenant', row.id), uuid: row.id };
    },
    key: async (tenantUuid, role = 'developer') => {
      const made = await auth.keys.createKey(tenantUuid, { name: `key of ${role}`, role }, systemCause('setup'));
      return { id: formatId('key', made.key.id), secret: made.secret };
    },
    close: () => app.close(),
  };
}

/** The first operator's key, from the installation that made it. */
export async function operatorKeyOf(installation: Pick<Installation, 'dataDir'>): Promise<string> {
  const file = JSON.parse(await readFile(join(installation.dataDir, 'first-run.json'), 'utf8')) as {
    operatorKey: string;
  };
  return file.operatorKey;
}

/** Calls the API with a key and expects success; throws with what came instead. */
export async function api<T = Record<string, unknown>>(
  url: string,
  key: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Connects the double (or whatever answers at `baseUrl`) as the platform's provider `double` with its models. */
export async function connectDouble(
  url: string,
  operatorKey: string,
  baseUrl: string,
  apiKey: string,
  models: readonly { name: string; maxOutputTokens?: number }[],
): Promise<void> {
  const provider = await api<{ id: string }>(url, operatorKey, 'POST', '/v1/platform/providers', {
    preset: 'openai-compatible',
    name: 'double',
    baseUrl,
    apiKey,
  });
  for (const model of models)
    await api(url, operatorKey, 'POST', `/v1/platform/providers/${provider.id}/models`, { kind: 'chat', ...model });
}
