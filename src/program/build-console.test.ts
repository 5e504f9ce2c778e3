import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { buildConsole } from './build-console.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lintel-console-'));
  await mkdir(join(folder, 'src'));
  await writeFile(join(folder, 'index.html'), 'one');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const stamp = () => existsSync(join(folder, 'dist', '.stamp'));

test('of two starts at once one builds, and the other takes what it built', async () => {
  let running = 0;
  const build = async () => {
    expect(++running).toBe(1);
    await mkdir(join(folder, 'dist'), { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 50));
    running--;
  };
  expect((await Promise.all([buildConsole(folder, build), buildConsole(folder, build)])).sort()).toEqual([false, true]);
  expect(await buildConsole(folder, () => Promise.reject(new Error('built again')))).toBe(false);
});

test('a build that fails, or is cut off, is no build: the next start builds again', async () => {
  await writeFile(join(folder, 'index.html'), 'two');
  await expect(buildConsole(folder, () => Promise.reject(new Error('no memory left')))).rejects.toThrow('no memory');
  expect(stamp()).toBe(false);
  await writeFile(join(folder, 'index.html'), 'one');
  expect(await buildConsole(folder, () => Promise.resolve())).toBe(true);
  expect(stamp()).toBe(true);
});
