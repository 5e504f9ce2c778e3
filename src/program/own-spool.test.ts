import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

import { tryFileLock } from '#kernel/run-lock';
import { takeSpool } from './own-spool.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

test('two processes never share a spool folder; only folders that nobody holds are taken in', async () => {
  const root = await mkdtemp(join(tmpdir(), 'lintel-own-spool-'));
  folders.push(root);
  const first = takeSpool(join(root, 'front-1'));
  const second = takeSpool(join(root, 'front-1'));
  expect(first.folder).toBe(join(root, 'front-1'));
  expect(second.folder).toBe(join(root, 'front-1-2'));
  expect(existsSync(second.folder)).toBe(true);
  const gone = takeSpool(join(root, 'gone'));
  const background = takeSpool(join(root, 'background'));
  const taken: string[] = [];
  await background.takeIdle(async (folder) => taken.push(folder));
  expect(taken).toEqual([]);
  expect(tryFileLock(`${gone.folder}.lock`)).toBeUndefined();
  const { mkdirSync } = await import('node:fs');
  mkdirSync(join(root, 'front-9'));
  await background.takeIdle(async (folder) => {
    taken.push(folder);
    expect(tryFileLock(`${folder}.lock`), 'it is held while it is taken in').toBeUndefined();
  });
  expect(taken).toEqual([join(root, 'front-9')]);
});
