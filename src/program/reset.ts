import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';

import { embeddedPostgresHome } from '#kernel/postgres/cluster-home';
import { acquireRunLock } from '#kernel/run-lock';
import { UsageError } from './options.ts';

/** Files by which a folder is known to be a data folder of Lintel: nothing else is ever deleted. */
const marks = ['root.key', 'lintel.lock'];

/** `npm start -- reset`: deletes the data folder with the embedded database after asking (or at once with `--yes`). */
export async function reset(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { 'data-dir': { type: 'string', default: '.lintel' }, yes: { type: 'boolean', default: false } },
  });
  const dataDir = resolve(values['data-dir']);
  if (!existsSync(dataDir)) {
    process.stdout.write(`There is nothing at ${dataDir}.\n`);
    return;
  }
  if (!marks.some((mark) => existsSync(join(dataDir, mark))))
    throw new UsageError(`${dataDir} is not a data folder of Lintel; nothing was deleted.`);
  const lock = acquireRunLock(dataDir);
  try {
    if (!values.yes) {
      if (process.stdin.isTTY !== true) throw new UsageError('Add --yes to delete without being asked.');
      const ask = createInterface({ input: process.stdin, output: process.stdout });
      const answer = await ask.question(`Delete everything in ${dataDir}: database, keys, spool? Type "yes": `);
      ask.close();
      if (answer.trim() !== 'yes') {
        process.stdout.write('Nothing was deleted.\n');
        return;
      }
    }
    await rm(await embeddedPostgresHome(dataDir), { recursive: true, force: true });
  } finally {
    lock.release();
  }
  await rm(dataDir, { recursive: true, force: true });
  process.stdout.write(`${dataDir} is gone.\n`);
}
