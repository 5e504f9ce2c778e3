import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type ClusterHome, type Endpoint, makeOwnFolder } from '#kernel/postgres/cluster-home';
import { superuser } from '#kernel/postgres/create-cluster';
import { asUser } from '#kernel/postgres/server-account';
import { processIdentity } from '#kernel/process-identity';

/** A postmaster process that this or an earlier supervisor started. */
export interface Postmaster {
  pid: number;
  endpoint: Endpoint;
  /** Resolves when the process has ended. */
  ended: Promise<void>;
  hasEnded(): boolean;
}

/**
 * Starts a postmaster in a session of its own: Ctrl-C on the terminal must reach the supervisor, which stops PostgreSQL last, and not
 * PostgreSQL itself.
 */
export async function launchPostmaster(place: ClusterHome, endpoint: Endpoint): Promise<Postmaster> {
  const { home, data, native, account } = place;
  await makeOwnFolder(join(home, 'log'), account).catch(() => {});
  releaseLockFiles(data, endpoint);
  const words = openSync(join(home, startLog), 'w', 0o600);
  const child = spawn(join(native, 'bin/postgres'), ['-D', data, ...settingsFor(home, endpoint)], {
    ...asUser(account),
    cwd: '/',
    detached: true,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', words, words],
  });
  closeSync(words);
  const { pid } = child;
  if (pid === undefined) {
    return new Promise((_, reject) => {
      child.once('error', reject);
    });
  }
  const record: PostmasterRecord = { pid, identity: processIdentity(pid), endpoint };
  try {
    writeFileSync(join(home, recordFile), JSON.stringify(record), { mode: 0o600 });
  } catch (error) {
    child.kill('SIGQUIT');
    throw error;
  }
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  return { pid, endpoint, ended, hasEnded: () => child.exitCode !== null || child.signalCode !== null };
}

/**
 * The postmaster of this home that outlived its supervisor, known by pid *and* start time; or, where its supervisor was killed before it
 * could note them, by what it was started with.
 *
 * @throws when a PostgreSQL that Lintel did not start works in the data folder.
 */
export function findOrphan({ home, data }: ClusterHome): Postmaster | undefined {
  const { pid, identity, endpoint } = readRecord(join(home, recordFile)) ?? {};
  if (pid !== undefined && endpoint !== undefined && identity !== undefined && processIdentity(pid) === identity)
    return orphanOf(pid, identity, endpoint);
  const other = pidInLockFile(data);
  if (other === undefined || !worksIn(other, data)) return undefined;
  const known = processIdentity(other);
  const asked = endpointOf(other, home);
  if (known !== undefined && asked !== undefined) return orphanOf(other, known, asked);
  throw new Error(`PostgreSQL process ${other}, which Lintel did not start, uses ${data}: end it first.`);
}

/**
 * Waits until the server answers a query.
 *
 * @param patienceMs how long it may be silent; crash recovery, during which it says that it is starting, may take as long as it takes.
 * @throws when it ends or stays silent, with the last lines it wrote.
 */
export async function waitUntilReady(
  postmaster: Postmaster,
  url: string,
  place: ClusterHome,
  patienceMs: number,
): Promise<void> {
  let deadline = performance.now() + patienceMs;
  while (!postmaster.hasEnded()) {
    const problem = await askWhetherReady(url);
    if (problem === undefined) return;
    if (problem.code === cannotConnectNow) deadline = performance.now() + patienceMs;
    if (problem.code === invalidPassword) throw new Error(`PostgreSQL refuses the password in ${place.home}/password.`);
    if (performance.now() > deadline)
      throw new Error(`PostgreSQL (pid ${postmaster.pid}) does not answer: ${problem.message}`);
    await sleep(50);
  }
  throw new Error(`PostgreSQL ended during its start: ${await lastWords(place.home)}`);
}

/**
 * Ends a postmaster: fast shutdown (connections cut, checkpoint written), then immediate, then SIGKILL. One that is `hung` is not asked
 * for the first.
 */
export async function endPostmaster(postmaster: Postmaster, { home }: ClusterHome, hung = false): Promise<void> {
  for (const [signal, waitMs] of hung ? shutdowns.slice(1) : shutdowns) {
    signalProcess(postmaster, signal);
    const timer = new AbortController();
    await Promise.race([postmaster.ended, sleep(waitMs, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
    if (postmaster.hasEnded()) break;
  }
  await postmaster.ended;
  rmSync(join(home, recordFile), { force: true });
}

/** The connection string of the superuser. `host` stands in the query, because a URL's host cannot be a path. */
export function superuserUrl({ host, port }: Endpoint, password: string): string {
  const base = `postgresql://${superuser}:${password}@`;
  return host.startsWith('/')
    ? `${base}localhost:${port}/postgres?host=${encodeURIComponent(host)}`
    : `${base}${host}:${port}/postgres`;
}

/** What the server wrote last: before its log collector runs to standard error, afterwards to the newest file of the log folder. */
async function lastWords(home: string): Promise<string> {
  const early = (await readFile(join(home, startLog), 'utf8').catch(() => '')).trim();
  if (early !== '' && !early.includes('redirecting log output')) return early.slice(-2_000);
  const logs = await readdir(join(home, 'log')).catch(() => []);
  const dated = await Promise.all(
    logs.map(async (name) => ({ name, at: (await stat(join(home, 'log', name))).mtimeMs })),
  );
  const newest = dated.sort((a, b) => b.at - a.at)[0]?.name;
  return newest === undefined
    ? 'it wrote nothing'
    : (await readFile(join(home, 'log', newest), 'utf8')).trim().slice(-2_000);
}

function signalProcess(postmaster: Postmaster, signal: NodeJS.Signals): void {
  try {
    if (!postmaster.hasEnded()) process.kill(postmaster.pid, signal);
  } catch (error) {
    // It ended between the two calls.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

interface PostmasterRecord {
  pid: number;
  identity: string | undefined;
  endpoint: Endpoint;
}

const recordFile = 'postmaster.json';
const startLog = 'start.log';
/** SQLSTATE 57P03: starting up, in recovery or shutting down. */
const cannotConnectNow = '57P03';
const invalidPassword = '28P01';
const shutdowns = [
  ['SIGINT', 30_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
] as const;

/** What Lintel relies on, given at every start so that it holds whatever postgresql.conf says. */
function settingsFor(home: string, { host, port }: Endpoint): string[] {
  const onSocket = host.startsWith('/');
  const settings = {
    listen_addresses: onSocket ? '' : host,
    // A list: the quotes keep a folder with a comma or a blank in one piece.
    unix_socket_directories: onSocket ? `"${host.replaceAll('"', '""')}"` : '',
    unix_socket_permissions: '0700',
    port: String(port),
    wal_level: 'replica',
    password_encryption: 'scram-sha-256',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] %q%u@%d ',
    // One file per weekday, overwritten a week later.
    logging_collector: 'on',
    log_directory: join(home, 'log'),
    log_filename: 'postgresql-%a.log',
    log_rotation_age: '1d',
    log_rotation_size: '0',
    log_truncate_on_rotation: 'on',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function askWhetherReady(url: string): Promise<(Error & { code?: string }) | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 2_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return undefined;
  } catch (error) {
    return error as Error & { code?: string };
  } finally {
    await client.end().catch(() => {});
  }
}

function readRecord(path: string): PostmasterRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as PostmasterRecord;
  } catch {
    return undefined;
  }
}

function orphanOf(pid: number, identity: string, endpoint: Endpoint): Postmaster {
  const hasEnded = () => processIdentity(pid) !== identity;
  return { pid, endpoint, hasEnded, ended: untilEnded(hasEnded) };
}

/** Where a postmaster that was started with {@link settingsFor} of this home listens; undefined for another, and where there is no /proc. */
function endpointOf(pid: number, home: string): Endpoint | undefined {
  let args: string[];
  try {
    args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return undefined;
  }
  if (!args.includes(`log_directory=${join(home, 'log')}`)) return undefined;
  const setting = (name: string) => args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  const folder = setting('unix_socket_directories').slice(1, -1).replaceAll('""', '"');
  return { host: setting('listen_addresses') || folder, port: Number(setting('port')) };
}

/** Polls, since a process that is not a child gives no notice of its end. */
async function untilEnded(hasEnded: () => boolean): Promise<void> {
  while (!hasEnded()) await sleep(process.platform === 'linux' ? 100 : 1_000);
}

function pidInLockFile(data: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10) || undefined;
  } catch {
    return undefined;
  }
}

/** Whether that process is a postmaster of this folder: its working folder tells, or where there is no /proc at least its name. */
function worksIn(pid: number, data: string): boolean {
  try {
    if (process.platform === 'linux') return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
    return execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).includes('postgres');
  } catch {
    return false;
  }
}

/**
 * PostgreSQL refuses to start when the pid in one of its lock files runs, which after a reboot may be any process, or a zombie. Where it
 * is not a postmaster of this folder, our own pid is put in its place: PostgreSQL disregards its parent's pid but, unlike with
 * the file deleted, still checks that no backend of the former server is attached to the shared memory named there. The socket's lock
 * file guards a folder that is this cluster's alone.
 */
function releaseLockFiles(data: string, { host, port }: Endpoint): void {
  const path = join(data, 'postmaster.pid');
  const pid = pidInLockFile(data);
  if (pid === undefined || worksIn(pid, data)) return;
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^\d+/, String(process.pid)));
  if (host.startsWith('/')) rmSync(join(host, `.s.PGSQL.${port}.lock`), { force: true });
}
