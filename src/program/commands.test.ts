import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { acquireRunLock } from '#kernel/run-lock';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lintel-commands-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the program to its end with nothing of Lintel in its environment but `env`. */
function run(args: string[], env: Record<string, string> = {}): Promise<{ code: number; said: string }> {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(LINTEL|DATABASE)_/.test(name)));
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env: { ...clean, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
  });
}

test('doctor looks at a folder that is none yet, or another’s, and leaves it as it was', async () => {
  const other = join(folder, 'other');
  await mkdir(other);
  await writeFile(join(other, 'letter.txt'), 'mine');
  for (const dataDir of [join(folder, 'none'), other]) {
    const { code, said } = await run(['doctor', '--data-dir', dataDir]);
    expect([code, said]).toEqual([0, expect.stringContaining('the first start makes one')]);
  }
  expect(await readdir(folder)).toEqual(['other']);
  expect(await readdir(other)).toEqual(['letter.txt']);
});

test('doctor says which calls wait on disk, and what became of lines that could not be read', async () => {
  const dataDir = join(folder, 'spooled');
  await mkdir(join(dataDir, 'spool', 'front-1'), { recursive: true });
  await mkdir(join(dataDir, 'spool', 'background'));
  const look = async () => /^(.) spool +(.*)$/m.exec((await run(['doctor', '--data-dir', dataDir])).said)?.slice(1);
  expect(await look()).toEqual(['✓', 'no calls wait on disk']);
  const segment = join(dataDir, 'spool', 'front-1', '1-a-000001.ndjson');
  await writeFile(segment, '0badc0de {}\n');
  expect(await look()).toEqual(['!', expect.stringContaining('calls of 12 bytes in 1 files')]);
  await writeFile(`${segment}.damaged`, 'x');
  expect(await look()).toEqual(['!', expect.stringContaining('000001.ndjson.damaged: lines that could not be read')]);
  const long = new Date(Date.now() - 120_000);
  await utimes(segment, long, long);
  const lock = acquireRunLock(dataDir);
  expect(await look()).toEqual(['✗', expect.stringContaining('its log (warn)')]);
  lock.release();
}, 60_000);

test('what a command has compiled is kept: the next one finds its modules stripped of types and compiled', async () => {
  await run(['modules']);
  const { code, said } = await run(['modules'], { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' });
  expect(code).toBe(0);
  for (const kind of ['StrippedTypeScript', 'ESM'])
    expect(said).toMatch(new RegExp(`reading cache from \\S+ for ${kind} \\S+/src/app\\.ts\\.\\.\\..* success`));
}, 60_000);

test('reset asks for --yes, wants a data folder that nobody runs on, and deletes only what is Lintel’s', async () => {
  const dataDir = join(folder, 'mixed');
  await mkdir(join(dataDir, 'spool', 'front-1'), { recursive: true });
  await mkdir(join(dataDir, 'photos'));
  for (const name of ['root.key', 'root.key.0123456789ab', 'first-run.json', 'demo.json.new', 'letter.txt'])
    await writeFile(join(dataDir, name), name);
  const before = (await readdir(dataDir)).sort();
  const lock = acquireRunLock(dataDir);
  expect(await run(['reset', '--data-dir', dataDir, '--yes'])).toMatchObject({
    code: 1,
    said: expect.stringContaining('already running'),
  });
  lock.release();
  expect((await run(['reset', '--data-dir', dataDir])).code).toBe(2);
  expect((await readdir(dataDir)).filter((name) => !name.startsWith('lintel.lock')).sort()).toEqual(before);
  expect(await run(['reset', '--data-dir', dataDir, '--yes'])).toMatchObject({
    code: 0,
    said: expect.stringContaining('other files in it were left'),
  });
  expect((await readdir(dataDir)).sort()).toEqual(['letter.txt', 'photos']);
  expect(await run(['reset', '--data-dir', dataDir, '--yes'])).toMatchObject({
    code: 2,
    said: expect.stringContaining('not a data folder'),
  });
  expect(await run(['reset', '--everything'])).toMatchObject({ code: 2, said: expect.stringContaining('Options:') });
});

test('everything wrong in the environment is told at once, before anything is made', async () => {
  const { code, said } = await run(['start', '--data-dir', join(folder, 'never')], {
    DATABASE_URL: 'postgres:nowhere',
    LINTEL_LOG_LEVEL: 'loud',
    LINTEL_PUBLIC_URL: 'https://',
    LINTEL_ROOT_KEY: 'abc',
    LINTEL_TRUSTED_PROXY: '10.0.0.0/8, my-proxy',
    LINTEL_TYPO: '1',
  });
  expect(code).toBe(1);
  for (const name of [
    'DATABASE_URL',
    'LINTEL_LOG_LEVEL',
    'LINTEL_PUBLIC_URL',
    'LINTEL_ROOT_KEY',
    'LINTEL_TRUSTED_PROXY',
    'LINTEL_TYPO',
  ])
    expect(said).toContain(`- ${name} `);
  expect(said).not.toContain('abc');
  expect(said).not.toContain('    at ');
  expect(await readdir(folder)).not.toContain('never');
});

test('a port or host that cannot be listened at is said in one line', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const busy = await run(['start', '--data-dir', join(folder, 'busy'), '--port', String(port)]);
  taken.close();
  expect(busy).toMatchObject({ code: 2, said: expect.stringContaining(`Port ${port} of 127.0.0.1 is taken`) });
  expect(busy.said).not.toContain('    at ');
  const nowhere = await run(['start', '--data-dir', join(folder, 'nowhere'), '--host', '192.0.2.1']);
  expect(nowhere).toMatchObject({ code: 2, said: expect.stringContaining('192.0.2.1') });
  expect(nowhere.said).not.toContain('8179');
  expect(await readdir(join(folder, 'nowhere'))).not.toContain('root.key');
});
