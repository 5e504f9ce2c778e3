import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';

import { embeddedPostgresHome } from '#kernel/postgres/cluster-home';
import { acquireRunLock } from '#kernel/run-lock';
import { UsageError } from './options.ts';

/** Files by which a folder is known to be a data folder of Lintel. */
const marks = ['root.key', 'lintel.lock'];

/** What Lintel keeps in its data folder. Nothing else in it is ever deleted: it may be a folder that holds other things too. */
const own =
  /^(root\.key(\.[0-9a-f]{12})?|lintel\.lock(-journal)?|running\.json|(first-run|demo)\.json(\.new)?|spool|postgres(\.lock(-journal)?|-home)?)$/;

/** `npm start -- reset`: deletes what is in the data folder with the embedded database after asking (or at once with `--yes`). */
export async function reset(args: readonly string[]): Promise<void> {
  const dataDir = resolve(readArguments(args).dataDir);
  if (!existsSync(dataDir)) {
    process.stdout.write(`There is nothing at ${dataDir}.\n`);
    return;
  }
  if (!marks.some((mark) => existsSync(join(dataDir, mark))))
    throw new UsageError(`${dataDir} is not a data folder of Lintel; nothing was deleted.`);
  const lock = acquireRunLock(dataDir);
  try {
    if (!readArguments(args).yes) {
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
  for (const name of await readdir(dataDir)) {
    if (own.test(name)) await rm(join(dataDir, name), { recursive: true, force: true });
  }
  const empty = await rmdir(dataDir).then(
    () => true,
    () => false,
  );
  process.stdout.write(
    empty ? `${dataDir} is gone.\n` : `What Lintel kept in ${dataDir} is gone; other files in it were left.\n`,
  );
}

function readArguments(args: readonly string[]): { dataDir: string; yes: boolean } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { 'data-dir': { type: 'string', default: '.lintel' }, yes: { type: 'boolean', default: false } },
    });
    return { dataDir: values['data-dir'], yes: values.yes };
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nOptions: --data-dir FOLDER --yes`);
  }
}
