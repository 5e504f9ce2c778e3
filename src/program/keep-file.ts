import { rename, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';

import { killPoint } from '#kernel/faults';

/** Writes a value as JSON (0600), whole or not at all, whatever ends the process and however full the disk is. */
export async function keepFile(path: string, value: object): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flush: true });
  killPoint(`keep-${basename(path)}`);
  await rename(draft, path);
  killPoint(`kept-${basename(path)}`);
}
