import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ClusterHome, makeOwnFolder } from '#kernel/postgres/cluster-home';
import { asUser } from '#kernel/postgres/server-account';

/** The superuser's name; its password is random and in `<home>/password`. */
export const superuser = 'postgres';

/** Tunables of a laptop-sized server, written once into postgresql.conf, where an operator may change them. */
const initialSettings = {
  max_connections: '100',
  shared_buffers: '128MB',
  max_locks_per_transaction: '256',
  jit: 'off',
};

/**
 * Creates the cluster where there is none. It is built beside its final place and renamed when complete, so that a start killed half-way
 * leaves nothing that looks like a cluster; such remains are removed here.
 *
 * @returns the superuser's password (32 random bytes, base64url), and whether the cluster is new.
 * @throws with initdb's own words when it fails.
 */
export async function ensureCluster(place: ClusterHome): Promise<{ password: string; created: boolean }> {
  const { home, data, account } = place;
  const exists = (await stat(join(data, 'PG_VERSION')).catch(() => undefined)) !== undefined;
  const password = await ensurePassword(place, exists);
  if (exists) return { password, created: false };
  for (const entry of await readdir(home)) {
    if (entry.startsWith(unfinishedPrefix))
      await rm(join(home, entry), { recursive: true, force: true, maxRetries: 5 });
  }
  const unfinished = join(home, `${unfinishedPrefix}${randomBytes(4).toString('hex')}`);
  await makeOwnFolder(unfinished, account);
  await runInitdb(place, unfinished);
  await rename(unfinished, data);
  return { password, created: true };
}

const unfinishedPrefix = 'initdb-';

async function ensurePassword({ home, account }: ClusterHome, clusterExists: boolean): Promise<string> {
  const path = join(home, 'password');
  const known = await readFile(path, 'utf8').catch(() => '');
  if (known !== '') return known;
  if (clusterExists)
    throw new Error(`${path} is missing: the database cannot be opened without it. Put it back from a backup.`);
  const password = randomBytes(32).toString('base64url');
  await writeFile(path, password, { mode: 0o600, flush: true });
  if (account.uid !== undefined && account.gid !== undefined) await chown(path, account.uid, account.gid);
  return password;
}

function runInitdb({ home, native, account }: ClusterHome, target: string): Promise<void> {
  const args = [
    `--pgdata=${target}`,
    `--username=${superuser}`,
    `--pwfile=${join(home, 'password')}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    ...Object.entries(initialSettings).map(([name, value]) => `--set=${name}=${value}`),
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(join(native, 'bin/initdb'), args, {
      ...asUser(account),
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-4_000);
    });
    child.once('error', reject);
    child.once('close', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`initdb failed (${signal ?? `exit code ${code}`}): ${words.trim()}`)),
    );
  });
}
