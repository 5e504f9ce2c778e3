import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { processIdentity } from '#kernel/process-identity';
import { AlreadyRunningError, acquireRunLock, tryFileLock } from '#kernel/run-lock';

const scratch = mkdtempSync(join(tmpdir(), 'lintel-lock-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Another process that takes the run lock, publishes an address, prints `held` and waits. */
async function otherHolder(dataDir: string) {
  const program = `
    import { acquireRunLock } from '#kernel/run-lock';
    acquireRunLock(${JSON.stringify(dataDir)}).publish('http://127.0.0.1:8080');
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

function refusal(dataDir: string): AlreadyRunningError {
  try {
    acquireRunLock(dataDir).release();
  } catch (error) {
    if (error instanceof AlreadyRunningError) return error;
    throw error;
  }
  throw new Error('the lock was free');
}

test('a second start is told who runs and where; after SIGKILL of the holder the lock is free at once', async () => {
  const dataDir = join(scratch, 'new/data');
  const holder = await otherHolder(dataDir);
  const { message, pid, address } = refusal(dataDir);
  expect({ pid, address }).toEqual({ pid: holder.pid, address: 'http://127.0.0.1:8080' });
  expect(message).toBe(`Lintel is already running on ${dataDir} (pid ${holder.pid}, http://127.0.0.1:8080).`);
  const ended = once(holder, 'exit');
  holder.kill('SIGKILL');
  await ended;
  acquireRunLock(dataDir).release();
});

test('what an ended holder wrote is not told as the present one', () => {
  const dataDir = join(scratch, 'stale');
  const lock = acquireRunLock(dataDir);
  const path = join(dataDir, 'running.json');
  const running = JSON.parse(readFileSync(path, 'utf8'));
  expect(refusal(dataDir).pid).toBe(process.pid);
  writeFileSync(path, JSON.stringify({ ...running, identity: 'another start of this pid' }));
  expect(refusal(dataDir).message).toContain('(starting)');
  lock.release();
  acquireRunLock(dataDir).release();
});

test('the data folder is private, yet traversable where PostgreSQL runs as another user', () => {
  const dataDir = join(scratch, 'modes');
  const lock = acquireRunLock(dataDir);
  expect(statSync(dataDir).mode & 0o777).toBe(process.getuid?.() === 0 ? 0o711 : 0o700);
  expect(statSync(join(dataDir, 'running.json')).mode & 0o777).toBe(0o600);
  lock.release();
});

test('an identity is stable for one process, differs between two, and is gone with the process, reaped or not', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const pid = child.pid as number;
  const identity = processIdentity(pid);
  expect(identity).toBeDefined();
  expect(processIdentity(pid)).toBe(identity);
  expect(processIdentity(process.pid)).not.toBe(identity);
  // Not yet reaped, since that takes a turn of the event loop: kill(pid, 0) still finds the zombie.
  child.kill('SIGKILL');
  for (
    const deadline = performance.now() + 10_000;
    processIdentity(pid) !== undefined && performance.now() < deadline;
  );
  expect(processIdentity(pid)).toBeUndefined();
  expect(process.kill(pid, 0)).toBe(true);
  await once(child, 'exit');
  expect(processIdentity(pid)).toBeUndefined();
  for (const bad of [0, -1, Number.NaN, 2 ** 31 - 1]) expect(processIdentity(bad)).toBeUndefined();
});

test('a lock whose handle was dropped is held all the same', async () => {
  const path = join(scratch, 'dropped.lock');
  const program = `
    import { tryFileLock } from '#kernel/run-lock';
    tryFileLock(${JSON.stringify(path)});
    for (let i = 0; i < 20; i++) { globalThis.gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(tryFileLock(path)).toBeUndefined();
  child.kill('SIGKILL');
});
