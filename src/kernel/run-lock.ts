import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { processIdentity } from '#kernel/process-identity';

/** A lock held by this process; the operating system releases it when the process ends, however it ends. */
export interface FileLock {
  release(): void;
}

/** The right to run on one data folder, held by one supervisor at a time. */
export interface RunLock extends FileLock {
  /** Tells later starts where this one answers (a base URL), for their message. */
  publish(address: string): void;
}

/** Another process runs on this data folder; `pid` and `address` are what it published, if it has come that far. */
export class AlreadyRunningError extends Error {
  readonly pid: number | undefined;
  readonly address: string | undefined;

  constructor(dataDir: string, pid: number | undefined, address: string | undefined) {
    const who = [pid === undefined ? 'starting' : `pid ${pid}`, address]
      .filter((part) => part !== undefined)
      .join(', ');
    super(`Lintel is already running on ${dataDir} (${who}).`);
    this.name = 'AlreadyRunningError';
    this.pid = pid;
    this.address = address;
  }
}

/**
 * Takes a POSIX record lock on `path` (created if missing) without waiting. It goes through SQLite, because Node has no lock of its own
 * and a lock made of a file with a pid needs guesses about stale ones; this one vanishes with its process, even by SIGKILL.
 * The file must not be opened by other means in the same process: closing it there would drop the lock (fcntl(2)).
 *
 * @returns `undefined` when another holder, in this process or another, has it.
 */
export function tryFileLock(path: string): FileLock | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined;
    throw new Error(`Cannot lock ${path}: the file system must support POSIX locks.`, { cause: error });
  }
  held.add(database);
  return {
    release: () => {
      held.delete(database);
      if (database.isOpen) database.close();
    },
  };
}

/** Locks last until they are released or the process ends: one that nobody refers to must not go with the garbage. */
const held = new Set<DatabaseSync>();

/**
 * Takes the run lock of a data folder, creating the folder if needed. As root the folder stays traversable (0711), because PostgreSQL
 * runs as another user below it; every file in it has its own mode.
 *
 * @throws {AlreadyRunningError} when another process has it.
 */
export function acquireRunLock(dataDir: string): RunLock {
  if (mkdirSync(dataDir, { recursive: true }) !== undefined)
    chmodSync(dataDir, process.getuid?.() === 0 ? 0o711 : 0o700);
  const runningFile = join(dataDir, 'running.json');
  const lock = tryFileLock(join(dataDir, 'lintel.lock'));
  if (lock === undefined) {
    const running = readRunning(runningFile);
    throw new AlreadyRunningError(dataDir, running?.pid, running?.address);
  }
  const publish = (address?: string) => {
    const running = { pid: process.pid, identity: processIdentity(process.pid), address };
    writeFileSync(runningFile, `${JSON.stringify(running)}\n`, { mode: 0o600 });
  };
  publish();
  return {
    publish,
    release: () => {
      rmSync(runningFile, { force: true });
      lock.release();
    },
  };
}

const SQLITE_BUSY = 5;

/** What the holder wrote about itself; nothing when the file is missing, half written, or from a process that has ended. */
function readRunning(path: string): { pid: number; address?: string } | undefined {
  try {
    const running = JSON.parse(readFileSync(path, 'utf8')) as { pid: number; identity: string; address?: string };
    return processIdentity(running.pid) === running.identity ? running : undefined;
  } catch {
    return undefined;
  }
}
