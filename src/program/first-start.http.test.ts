import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { embeddedPostgresHome } from '#kernel/postgres/cluster-home';
import { api, freePort, kill } from '#test/installation';
import { type FirstRunFile, startProgram } from '#test/program';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
let dataDir: string;
let faults: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lintel-first-start-'));
  // PostgreSQL runs as another user in it.
  await chmod(dataDir, 0o755);
  faults = join(dataDir, 'faults');
  await mkdir(faults);
});
afterAll(async () => {
  await rm(await embeddedPostgresHome(dataDir), { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
});

const kept = async () => JSON.parse(await readFile(join(dataDir, 'first-run.json'), 'utf8')) as FirstRunFile;

/** A start that is killed with SIGKILL: at a named point, or as soon as `sign` is there. */
async function killedStart(when: { point: string } | { sign: (said: string) => boolean }): Promise<void> {
  if ('point' in when) await writeFile(join(faults, when.point), '');
  const args = [main, 'start', '--port', String(await freePort()), '--data-dir', dataDir];
  const child: ChildProcess = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], NODE_ENV: 'test', LINTEL_INTERNAL_FAULTS: faults },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (said += data.toString()));
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  for (const patience = performance.now() + 90_000; child.exitCode === null && child.signalCode === null; ) {
    if ('sign' in when && when.sign(said)) kill(child.pid as number, 'SIGKILL');
    if (performance.now() > patience) kill(child.pid as number, 'SIGTERM');
    await sleep(2);
  }
  expect(await ended, said).toBe('SIGKILL');
}

const demoChildren = async (parent: number) => {
  const children = (await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8')).split(' ').filter(Boolean);
  const commands = await Promise.all(children.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return commands.filter((command) => command.split('\0').includes('demo')).length;
};

/** Uses a login link; returns the session's cookie. */
async function signIn(url: string, loginUrl: string): Promise<string> {
  const response = await fetch(`${url}/v1/auth/link`, {
    method: 'POST',
    headers: { origin: url, 'content-type': 'application/json' },
    body: JSON.stringify({ token: loginUrl.split('#token=')[1] }),
  });
  expect(response.status, await response.text()).toBe(200);
  return (response.headers.get('set-cookie') ?? '').split(';')[0] as string;
}

// In the order of an installation's life: the next block goes on with what this one leaves.
describe('errors', () => {
  test('a first start that is killed anywhere is taken up by the next one, which ends in an installation that can be used', async () => {
    const home = await embeddedPostgresHome(dataDir);
    await killedStart({ sign: () => existsSync(join(home, 'data')) });
    await killedStart({ sign: (said) => said.includes('PostgreSQL') });
    await killedStart({ point: 'keep-first-run.json' });
    await killedStart({ point: 'kept-first-run.json' });
    // What was kept is of a transaction that has gone with its process.
    const lost = await kept();
    await killedStart({ point: 'keep-demo.json' });
    const first = await kept();
    expect(first.operatorKey).not.toBe(lost.operatorKey);
    await killedStart({ point: 'kept-demo.json' });
    await killedStart({ point: 'keep-first-run.json' });
    const program = await startProgram([], {}, dataDir);
    try {
      const { demo, ...access } = await kept();
      expect(access).toEqual({
        ...first,
        baseUrl: program.url,
        loginUrl: expect.stringContaining(`${program.url}/link#`),
      });
      expect(access.loginUrl.split('#')[1]).toBe(first.loginUrl.split('#')[1]);
      expect(program.output()).toContain('first-run.json');
      expect((await stat(join(dataDir, 'first-run.json'))).mode & 0o777).toBe(0o600);
      expect(demo?.curl).toContain(`curl ${program.url}/v1/chat/completions`);
      const page = await api<{ data: { name: string }[] }>(
        program.url,
        access.operatorKey,
        'GET',
        '/v1/platform/tenants?demo=true&status=active',
      );
      expect(page.data.map(({ name }) => name).sort()).toEqual(['Alpenblick GmbH', 'Northwind Outfitters', '云帆科技']);
      await api(program.url, demo?.apiKey ?? '', 'GET', '/v1/tenant');
      expect(await demoChildren(program.child.pid as number)).toBe(1);
      await signIn(program.url, access.loginUrl);
    } finally {
      await program.stop();
    }
  }, 240_000);
});

describe('happy', () => {
  test('a later start tells what is true then: its address, a link that works until there is a password, and no demo that has gone', async () => {
    const before = await kept();
    const quiet = await startProgram(['--no-demo'], {}, dataDir);
    try {
      const now = await kept();
      expect(now).toMatchObject({ baseUrl: quiet.url, operatorKey: before.operatorKey });
      expect(now.demo?.curl).toContain(`curl ${quiet.url}/`);
      expect(await demoChildren(quiet.child.pid as number)).toBe(0);
      // The link of the first start was used, and its operator could not get in by anything else.
      expect(now.loginUrl.split('#')[1]).not.toBe(before.loginUrl.split('#')[1]);
      const cookie = await signIn(quiet.url, now.loginUrl);
      const set = await fetch(`${quiet.url}/v1/auth/password`, {
        method: 'POST',
        headers: { cookie, origin: quiet.url, 'content-type': 'application/json' },
        body: JSON.stringify({ newPassword: 'beam above a door 1987' }),
      });
      expect(set.status, await set.text()).toBe(200);
      const page = await api<{ data: { id: string }[] }>(
        quiet.url,
        now.operatorKey,
        'GET',
        '/v1/platform/tenants?demo=true&status=active',
      );
      for (const { id } of page.data)
        await api(quiet.url, now.operatorKey, 'DELETE', `/v1/platform/tenants/${id}?graceDays=0`);
    } finally {
      await quiet.stop();
    }
    const last = await startProgram([], {}, dataDir);
    try {
      expect(await kept()).toEqual({
        baseUrl: last.url,
        operatorEmail: before.operatorEmail,
        operatorKey: before.operatorKey,
      });
      expect(last.output()).not.toContain('first-run.json');
      expect(await demoChildren(last.child.pid as number)).toBe(0);
    } finally {
      await last.stop();
    }
  }, 120_000);
});

describe('security', () => {
  test('what starts leave in the data folder, also those that were killed, is its owner’s alone to read', async () => {
    const files = (await readdir(dataDir, { withFileTypes: true })).filter((entry) => entry.isFile());
    const left = await Promise.all(files.map(async ({ name }) => [name, await stat(join(dataDir, name))] as const));
    // The lock is a file without a byte.
    const told = left.filter(([, { size }]) => size > 0).map(([name, { mode }]) => [name, mode & 0o077]);
    expect(told.map(([name]) => name)).toEqual(expect.arrayContaining(['first-run.json', 'root.key']));
    expect(told.filter(([, open]) => open !== 0)).toEqual([]);
  });
});
