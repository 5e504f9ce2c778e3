import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { asUser, chooseServerAccount } from '#kernel/postgres/server-account';
import { freePort } from '#test/program';

// Lintel's SQL uses nothing newer than PostgreSQL 15: where one is installed, the tests of every store run on it too.
const bin = '/usr/lib/postgresql/15/bin';
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));

if (!existsSync(join(bin, 'postgres'))) {
  process.stdout.write(`PostgreSQL 15 is not installed (${bin}); the tests ran on the embedded one only.\n`);
} else {
  const account = await chooseServerAccount(undefined);
  const folder = await mkdtemp(join(tmpdir(), 'lintel-postgres-15-'));
  await chmod(folder, 0o755);
  const data = join(folder, 'data');
  await mkdir(data, { mode: 0o700 });
  const own = asUser(account);
  if (own.uid !== undefined && own.gid !== undefined) await chown(data, own.uid, own.gid);
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8'],
    { ...own, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(made.stderr);
  const port = await freePort();
  const server = spawn(
    join(bin, 'postgres'),
    [
      '-D',
      data,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
      '-c',
      'max_connections=200',
    ],
    { ...own, stdio: 'ignore' },
  );
  try {
    const tests = spawn(process.execPath, [vitest, 'run', '.pg.test', '--exclude', '**/embedded-cluster*'], {
      stdio: 'inherit',
      env: { ...process.env, LINTEL_TEST_ADMIN_URL: `postgres://postgres@127.0.0.1:${port}/postgres` },
    });
    process.exitCode = await new Promise<number>((resolve) => tests.once('exit', (code) => resolve(code ?? 1)));
  } finally {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}
