import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type RunningProgram, startProgram } from '#test/program';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
let clone: string;
let dataDirs: string;

/** A checkout that has never been started; it lies in this one, so that it is installed already. */
beforeAll(async () => {
  clone = await mkdtemp(join(checkout, '.lintel-clone-'));
  const made = new Set(['dist', 'node_modules']);
  for (const part of ['src', 'console', 'sdk', 'package.json', 'tsconfig.json'])
    await cp(join(checkout, part), join(clone, part), { recursive: true, filter: (path) => !made.has(basename(path)) });
  await mkdir(join(clone, 'node_modules'));
  await symlink(join(checkout, 'node_modules/vite'), join(clone, 'node_modules/vite'));
  dataDirs = await mkdtemp(join(tmpdir(), 'lintel-two-starts-'));
  // PostgreSQL runs as another user in it.
  await chmod(dataDirs, 0o755);
});
afterAll(async () => {
  for (const folder of [clone, dataDirs]) await rm(folder, { recursive: true, force: true });
});

test('two first starts at once on one clone both serve the console, which one of them built', async () => {
  const programs: RunningProgram[] = [];
  try {
    const starting = ['one', 'other'].map(async (name) => {
      const dataDir = join(dataDirs, name);
      await mkdir(dataDir);
      programs.push(await startProgram(['--no-demo'], {}, dataDir, join(clone, 'src/main.ts')));
    });
    for (const start of await Promise.allSettled(starting)) if (start.status === 'rejected') throw start.reason;
    const built = programs.map(({ output }) => /^Console: done \((.*)\)/m.exec(output())?.[1]);
    expect(built.sort()).toEqual(['built', 'up to date']);
    for (const { url } of programs) {
      const page = await (await fetch(url)).text();
      const assets = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path);
      expect(assets.length).toBeGreaterThan(1);
      for (const path of assets) expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
    }
    expect(await readdir(join(clone, 'console/dist'))).toEqual(
      expect.arrayContaining(['.stamp', 'assets', 'index.html']),
    );
  } finally {
    await Promise.all(programs.map((program) => program.stop()));
  }
}, 180_000);
