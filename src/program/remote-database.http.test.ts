import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync } from 'node:fs';
import { chmod, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { migrationFolders } from '#app';
import { connectPlainly } from '#kernel/database-connector';
import { type ClusterHome, prepareClusterHome } from '#kernel/postgres/cluster-home';
import { asUser } from '#kernel/postgres/server-account';
import { freePort, startInstallation } from '#test/installation';

import { migratePremises } from './prepare.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const servers: ChildProcess[] = [];
let dir: string;
let place: ClusterHome;
let certificate: string;
let ports: { down: number; standby: number; writable: number };

/** Leads to this machine, which Lintel does not know: a server there is spoken to as one across a network. */
const host = '0.0.0.0';

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lintel-remote-'));
  await chmod(dir, 0o755);
  place = await prepareClusterHome(dir, { info: () => undefined, warn: () => undefined });
  certificate = join(place.home, 'server.pem');
  const key = join(place.home, 'server.key');
  execFileSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=db -addext subjectAltName=IP:${host}`
      .split(' ')
      .concat('-keyout', key, '-out', certificate),
    { stdio: 'ignore' },
  );
  await chmod(key, 0o600);
  await chmod(certificate, 0o644);
  const { uid, gid } = asUser(place.account);
  if (uid !== undefined && gid !== undefined) {
    chownSync(key, uid, gid);
    chownSync(place.home, uid, gid);
  }
  const run = (program: string, args: string[]) =>
    execFileSync(join(place.native, 'bin', program), args, { ...asUser(place.account), cwd: '/', stdio: 'ignore' });
  run('initdb', ['-D', place.data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C']);
  ports = { down: await freePort(), standby: await freePort(), writable: await freePort() };
  const first = serve(place.data, ports.writable, key);
  const admin = await eventually(() => connectPlainly(local('postgres', ports.writable)));
  await admin.query('CREATE DATABASE lintel');
  await admin.query('CREATE ROLE lintel_login LOGIN NOINHERIT');
  await admin.end();
  const url = local('lintel', ports.writable);
  await migratePremises({ url: url.replace('postgres@', 'lintel_login@'), adminUrl: url }, migrationFolders);
  await stop(first);
  const standby = join(place.home, 'standby');
  await cp(place.data, standby, { recursive: true, preserveTimestamps: true });
  await writeFile(join(standby, 'standby.signal'), '');
  if (uid !== undefined && gid !== undefined) execFileSync('chown', ['-R', `${uid}:${gid}`, standby]);
  serve(standby, ports.standby, key);
  serve(place.data, ports.writable, key);
  for (const port of [ports.standby, ports.writable])
    await eventually(async () => {
      const client = new pg.Client(local('postgres', port));
      await client.connect().finally(() => client.end());
    });
}, 120_000);
afterAll(async () => {
  await Promise.all(servers.map(stop));
  await rm(place.home, { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
});

/** One server that speaks TLS and clear on loopback alone. */
function serve(data: string, port: number, key: string): ChildProcess {
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'ssl=on', 'fsync=off'].concat(
    `port=${port}`,
    `ssl_cert_file=${certificate}`,
    `ssl_key_file=${key}`,
  );
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  const server = spawn(join(place.native, 'bin/postgres'), args, {
    ...asUser(place.account),
    cwd: '/',
    stdio: 'ignore',
  });
  servers.push(server);
  return server;
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGINT');
  await ended;
}

const local = (database: string, port: number) => `postgres://postgres@127.0.0.1:${port}/${database}`;

/** All three servers, of which one takes writes. */
const address = (user: string, query: string) =>
  `postgres://${user}@${[ports.down, ports.standby, ports.writable].map((port) => `${host}:${port}`).join(',')}/lintel${query}`;

async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + 30_000; ; ) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const rootKey = randomBytes(32).toString('hex');

function doctor(query: string): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: address('lintel_login', query),
    DATABASE_ADMIN_URL: address('postgres', query),
    LINTEL_ROOT_KEY: rootKey,
  };
  return new Promise((resolve) => {
    const args = [main, 'doctor', '--data-dir', join(dir, 'none')];
    execFile(process.execPath, args, { env }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}

describe('happy', () => {
  test('where the first host is down and the second a standby, migrations, start and doctor find the third', async () => {
    const query = `?sslmode=verify-full&sslrootcert=${certificate}`;
    const ground = { dir, url: address('lintel_login', query), adminUrl: address('postgres', query), rootKey };
    const lintel = await startInstallation(ground, 'far');
    try {
      expect(await lintel.log()).toContain('Migrations: done (up to date)');
    } finally {
      await lintel.stop();
    }
    const said = await doctor(query);
    for (const line of [/^✓ transport +TLS, verified/m, /^✓ database +PostgreSQL/m, /^✓ root secret +fits/m])
      expect(said).toMatch(line);
  }, 120_000);
});

describe('errors', () => {
  test('where no host takes writes, what each said is told', async () => {
    const url = `postgres://postgres@127.0.0.1:${ports.down},127.0.0.1:${ports.standby}/postgres`;
    await expect(connectPlainly(url)).rejects.toThrow(
      new RegExp(`127.0.0.1:${ports.down}: .*ECONNREFUSED.*; 127.0.0.1:${ports.standby}: it is a standby`),
    );
  });
});

describe('security', () => {
  test('a database elsewhere is spoken to by TLS, and its server is verified, without being asked for', async () => {
    const trusted = `?sslrootcert=${certificate}`;
    const client = await connectPlainly(address('postgres', trusted));
    const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    await client.end();
    expect(rows).toEqual([{ ssl: true }]);
    await expect(connectPlainly(address('postgres', ''))).rejects.toThrow(/self-signed certificate/);
    await expect(connectPlainly(address('postgres', '?sslmode=require'))).rejects.toThrow(/self-signed certificate/);
    const plain = await connectPlainly(address('postgres', '?sslmode=disable'));
    const clear = await plain.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    await plain.end();
    expect(clear.rows).toEqual([{ ssl: false }]);
    expect(await doctor('?sslmode=disable')).toMatch(/^! transport +sslmode=disable/m);
    expect(await doctor('?sslmode=prefer')).toMatch(/DATABASE_URL has sslmode=prefer[\s\S]*DATABASE_ADMIN_URL has/);
  });
});
