import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

// biome-ignore lint/style/noProcessEnv: no setting of the house: only proofs set it, and only processes under test look
const { NODE_ENV, LINTEL_INTERNAL_FAULTS } = process.env;
const folder = NODE_ENV === 'test' ? LINTEL_INTERNAL_FAULTS : undefined;

/**
 * A named place where a proof may kill with SIGKILL, as a power cut would. Does nothing unless NODE_ENV is `test` and
 * LINTEL_INTERNAL_FAULTS names a folder: a file there with the point's name arms it once, for this process, or for the pid that
 * stands in the file. The first to pass takes it (renamed to `<name>.hit-<pid>`).
 */
export function killPoint(name: string): void {
  if (folder === undefined) return;
  const armed = join(folder, name);
  const taken = `${armed}.hit-${process.pid}`;
  try {
    renameSync(armed, taken);
  } catch {
    return;
  }
  process.kill(Number(readFileSync(taken, 'utf8')) || process.pid, 'SIGKILL');
}
