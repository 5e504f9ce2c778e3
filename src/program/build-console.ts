import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { tryFileLock } from '#kernel/run-lock';

const vite = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url));
const sdk = fileURLToPath(new URL('../../sdk/', import.meta.url));

/**
 * Builds the console unless what it is made of is what the last build was made of (the hash stands in `dist/.stamp`, written after
 * success). One process at a time: two starts of one checkout, each with its own data folder, would write into one another's build.
 * True when it built. Throws with Vite's words when it cannot.
 */
export async function buildConsole(
  folder: string,
  build: (folder: string) => Promise<void> = viteBuild,
): Promise<boolean> {
  const stamp = join(folder, 'dist', '.stamp');
  const hash = await hashSources([
    [folder, ['src/**/*', 'index.html', 'vite.config.ts', 'package.json', 'public/**/*']],
    [sdk, ['src/**/*', 'package.json']],
  ]);
  const isBuilt = async () => existsSync(stamp) && (await readFile(stamp, 'utf8')) === hash;
  // First without the lock, so that a read-only checkout starts.
  if (await isBuilt()) return false;
  const path = join(folder, 'node_modules', '.cache', 'build.lock');
  await mkdir(dirname(path), { recursive: true });
  let lock = tryFileLock(path);
  for (; lock === undefined; lock = tryFileLock(path)) await sleep(200);
  try {
    if (await isBuilt()) return false;
    await rm(stamp, { force: true });
    await build(folder);
    await writeFile(stamp, hash);
    return true;
  } finally {
    lock.release();
  }
}

function viteBuild(folder: string): Promise<void> {
  return run(process.execPath, [vite, 'build', '--logLevel', 'warn'], folder);
}

async function hashSources(parts: [folder: string, patterns: string[]][]): Promise<string> {
  const hash = createHash('sha256');
  for (const [folder, patterns] of parts) {
    const files: string[] = [];
    for await (const entry of glob(patterns, { cwd: folder, withFileTypes: true })) {
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
    }
    for (const file of files.sort())
      hash
        .update(`${file.slice(folder.length)}\0`)
        .update(await readFile(file))
        .update('\0');
  }
  return hash.digest('hex');
}

function run(command: string, args: string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`The console could not be built:\n${said.slice(-4_000)}`)),
    );
  });
}
