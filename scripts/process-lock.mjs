// A lock between processes of any Node >= 20, for the time before the pinned runtime is there (afterwards: src/kernel/run-lock.ts).
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {{ pid: number, identity: string | undefined }} ProcessRef A process, known by pid and start.
 * @typedef {Partial<ProcessRef> & { child?: ProcessRef }} Holder Who has the lock, and the child that works under it; {} after release.
 */

/**
 * Waits for the lock and takes it. The folder holds files named by growing numbers; the highest is the holder's. A holder that has ended,
 * or released, is followed by whoever creates the next number, which the file system grants to one process only: no file that
 * another may hold is ever taken away, so there is no moment in which a stale lock can be broken twice.
 *
 * @param {string} folder
 * @param {(pid: number) => void} onWait called once if another process holds it.
 * @returns {Promise<{ former: Holder, record: (child: ProcessRef) => void, release: () => void }>} `former` is the holder before.
 */
export async function acquireLock(folder, onWait) {
  mkdirSync(folder, { recursive: true });
  const self = processRef(process.pid);
  for (let told = false; ; ) {
    const top = highest(folder);
    const former = readHolder(folder, top);
    if (!isAlive(former)) {
      const mine = top + 1;
      if (!create(join(folder, String(mine)), self)) continue;
      if (highest(folder) === mine) {
        for (const number of numbers(folder)) if (number < mine) rmSync(join(folder, String(number)), { force: true });
        const write = (/** @type {Holder} */ holder) => replace(join(folder, String(mine)), holder);
        return { former, record: (child) => write({ ...self, child }), release: () => write({}) };
      }
      // Others went on between the two looks, and our number was free only because they had cleared it.
      rmSync(join(folder, String(mine)), { force: true });
      continue;
    }
    if (!told) onWait(/** @type {number} */ (former.pid));
    told = true;
    await sleep(200);
  }
}

/** @param {number} pid @returns {ProcessRef} */
export function processRef(pid) {
  return { pid, identity: identityOf(pid) };
}

/** @param {Partial<ProcessRef> | undefined} ref */
export function isAlive(ref) {
  return ref?.pid !== undefined && ref.identity !== undefined && identityOf(ref.pid) === ref.identity;
}

/**
 * Boot and start time of a process; undefined if it has ended (proc(5): field 3 is the state, field 22 the start).
 *
 * @param {number} pid
 */
function identityOf(pid) {
  try {
    if (process.platform !== 'linux') {
      const line = execFileSync('ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
      return line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** @param {string} folder */
function numbers(folder) {
  return readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** @param {string} folder */
function highest(folder) {
  return Math.max(0, ...numbers(folder));
}

/** @param {string} folder @param {number} number @returns {Holder} */
function readHolder(folder, number) {
  try {
    return JSON.parse(readFileSync(join(folder, String(number)), 'utf8'));
  } catch {
    return {};
  }
}

/** Creates a file with its whole content, or not at all. @param {string} path @param {Holder} holder */
function create(path, holder) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(holder));
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @param {string} path @param {Holder} holder */
function replace(path, holder) {
  writeFileSync(`${path}.${process.pid}`, JSON.stringify(holder));
  renameSync(`${path}.${process.pid}`, path);
}
