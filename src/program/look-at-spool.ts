import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Something `doctor` has looked at. */
export type Finding = { ok: boolean | 'weak'; what: string; detail: string };

/** How long a running process may leave calls in its spool before something is wrong, milliseconds. */
const patienceMs = 60_000;

/** Looks for calls that wait on disk for the database, and for lines of a spool that could not be read. `running`: a process works on the data folder. */
export function lookAtSpool(dataDir: string, running: boolean): Finding {
  const what = 'spool';
  const top = join(dataDir, 'spool');
  if (!existsSync(top)) return { ok: true, what, detail: 'no calls wait on disk' };
  let files: { path: string; bytes: number; ageMs: number }[];
  try {
    files = readdirSync(top, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => readdirSync(join(top, name)).map((file) => join(top, name, file)))
      .map((path) => {
        accessSync(path, constants.R_OK | constants.W_OK);
        const { size, mtimeMs } = statSync(path);
        return { path, bytes: size, ageMs: Date.now() - mtimeMs };
      });
  } catch (error) {
    const detail = `${(error as Error).message}: calls in it are on no bill until its files are readable and writable for this account`;
    return { ok: false, what, detail };
  }
  const waiting = files.filter(({ path, bytes }) => path.endsWith('.ndjson') && bytes > 0);
  const damaged = files.filter(({ path }) => path.endsWith('.damaged'));
  const told: string[] = [];
  if (waiting.length > 0) {
    const bytes = waiting.reduce((sum, file) => sum + file.bytes, 0);
    const who = running
      ? 'the running process takes them in when the database lets it; its log (warn) and /readyz say what is in the way'
      : 'the next start takes them in';
    told.push(`calls of ${bytes} bytes in ${waiting.length} files below ${top} wait for the database: ${who}`);
  }
  if (damaged.length > 0)
    told.push(
      `${damaged.map(({ path }) => path).join(', ')}: lines that could not be read; keep them to look up those calls at the provider, then delete them`,
    );
  if (told.length === 0) return { ok: true, what, detail: 'no calls wait on disk' };
  const stuck = running && waiting.some(({ ageMs }) => ageMs > patienceMs);
  return { ok: stuck ? false : 'weak', what, detail: told.join('; ') };
}
