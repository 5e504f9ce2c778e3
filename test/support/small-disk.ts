import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder on a disk that can really be filled. */
export type SmallDisk = {
  readonly folder: string;
  /** How it is bounded: a file system of its own, or this process's limit on file sizes. */
  readonly by: 'tmpfs' | 'prlimit';
  /** Leaves room for so many bytes in all, rounded down to pages; with `prlimit`, in each file. */
  fill(leave: number): void;
  /** Gives the room back. */
  empty(): void;
  remove(): void;
};

/**
 * Makes a small disk: a tmpfs of 1 MiB where this process may mount, else a limit on the size of any file it writes (the write then
 * fails with EFBIG, part of it done, as with ENOSPC).
 */
export function smallDisk(): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'lintel-disk-'));
  const ballast = join(folder, 'ballast');
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', folder);
  } catch {
    const limit = (soft: string) => run('prlimit', '--pid', String(process.pid), `--fsize=${soft}:`);
    return {
      folder,
      by: 'prlimit',
      fill: (leave) => limit(String(leave)),
      empty: () => limit('unlimited'),
      remove: () => rmSync(folder, { recursive: true }),
    };
  }
  return {
    folder,
    by: 'tmpfs',
    fill: (leave) => {
      const { bavail, bsize } = statfsSync(folder);
      appendFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leave)));
    },
    empty: () => rmSync(ballast),
    remove: () => {
      run('umount', folder);
      rmSync(folder, { recursive: true });
    },
  };
}

/** A program of the system. */
function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: 'ignore' });
}
