import { mkdirSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { tryFileLock } from '#kernel/run-lock';

/** The spool folder that is this process's alone, and those of processes that are gone. */
export type OwnSpool = {
  folder: string;
  /** Runs `take` for every folder beside it that no living process holds, one after the other, each locked meanwhile. */
  takeIdle(take: (folder: string) => Promise<unknown>): Promise<void>;
};

/**
 * Takes the wanted spool folder for this process, or another beside it when a process of an earlier start still drains into that one.
 * Two writers on one folder would delete each other's calls. The lock (beside the folder) ends with the process, however it ends.
 */
export function takeSpool(wanted: string): OwnSpool {
  for (let turn = 1; ; turn++) {
    const folder = turn === 1 ? wanted : `${wanted}-${turn}`;
    mkdirSync(folder, { recursive: true });
    if (tryFileLock(`${folder}.lock`) === undefined) continue;
    return {
      folder,
      takeIdle: async (take) => {
        const parent = dirname(folder);
        for (const entry of readdirSync(parent, { withFileTypes: true })) {
          const other = join(parent, entry.name);
          if (!entry.isDirectory() || other === folder || entry.name === basename(folder)) continue;
          const lock = tryFileLock(`${other}.lock`);
          if (lock === undefined) continue;
          try {
            await take(other);
          } finally {
            lock.release();
          }
        }
      },
    };
  }
}
