import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readFile, realpath, rename, rmdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type BinaryPackage, copyBinaries, findBinaryPackage, linkLibraries } from '#kernel/postgres/binaries';
import { canEnter, canRun, chooseServerAccount, type ServerAccount } from '#kernel/postgres/server-account';

/** Where one cluster lives and who runs it. */
export interface ClusterHome {
  /** Folder of data, log and sockets. Owned by this process's user, so that the server account cannot replace what is in it. */
  home: string;
  /** PGDATA. */
  data: string;
  /** Folder with `bin`, `lib` and `share` of PostgreSQL. */
  native: string;
  account: ServerAccount;
}

/** Where clients reach the server: a folder with its Unix socket, or a loopback address. */
export interface Endpoint {
  host: string;
  port: number;
}

/**
 * The folder that holds the cluster of a data folder: `<dataDir>/postgres`, or what `<dataDir>/postgres-home` names since the server
 * account could not reach the former. For `reset`, which has to remove it along with the data folder.
 */
export async function embeddedPostgresHome(dataDir: string): Promise<string> {
  const moved = await readFile(join(dataDir, movedFile), 'utf8').catch(() => undefined);
  // Empty where the disk was full, or the machine went down, when it was to be written: nothing was moved then.
  return moved?.trim() || join(dataDir, 'postgres');
}

/**
 * Settles where the cluster lives, with programs that its account can run.
 *
 * @param farRoot parent of homes for accounts that cannot reach the data folder.
 * @throws when an existing cluster is out of its account's reach: starting an empty one elsewhere would look like lost data.
 */
export async function prepareClusterHome(
  dataDir: string,
  log: { info(message: string): void; warn(message: string): void },
  farRoot = '/var/lib/lintel',
): Promise<ClusterHome> {
  const binaries = await findBinaryPackage();
  let home = await embeddedPostgresHome(dataDir);
  const existing = await stat(join(home, 'data')).catch(() => undefined);
  const account = await chooseServerAccount(existing?.uid);
  if (existing === undefined) await makeHome(home, account);
  if (!(await canEnter(account, home))) {
    const why = `user ${account.name}, who runs PostgreSQL, cannot reach ${home}`;
    if (existing !== undefined)
      throw new Error(`The database cannot start: ${why}. Make its parent folders traversable (chmod o+x).`);
    await rmdir(home).catch(() => {});
    home = await moveFar(dataDir, farRoot, account, log);
    log.info(`PostgreSQL data is kept in ${home}, because ${why}`);
  }
  const native = await usableBinaries(binaries, account, home, log);
  return { home, data: join(home, 'data'), native, account };
}

/**
 * Chooses where the server listens: a private folder (0700, the account's own; root gets in anyway) whose socket path is short enough
 * for `sockaddr_un`, else a free port of the loopback interface.
 */
export async function chooseEndpoint({ home, account }: ClusterHome): Promise<Endpoint> {
  for (const folder of [join(home, 'run'), shortSocketFolder(home)]) {
    const short = Buffer.byteLength(join(folder, `.s.PGSQL.${socketPort}`)) < maxSocketPath;
    if (short && (await isPrivate(folder, account)) && (await canEnter(account, folder)))
      return { host: folder, port: socketPort };
  }
  return { host: '127.0.0.1', port: await freePort() };
}

/** The socket folder for a home whose own path is too long. */
export function shortSocketFolder(home: string): string {
  return `/tmp/lintel-${shortHash(home)}`;
}

/** Makes a folder that is the account's alone; one that exists must be so already, since anyone may create names in /tmp. */
export async function makeOwnFolder(folder: string, account: ServerAccount): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  if (account.uid !== undefined && account.gid !== undefined) await chown(folder, account.uid, account.gid);
}

const movedFile = 'postgres-home';
const socketPort = 5432;
/** `sockaddr_un.sun_path` is 108 bytes on Linux and 104 on macOS; PostgreSQL also puts a lock file beside the socket. */
const maxSocketPath = 100;

/** Programs that the account can run: those of node_modules, else a copy in its home. */
async function usableBinaries(
  binaries: BinaryPackage,
  account: ServerAccount,
  home: string,
  log: { info(message: string): void },
): Promise<string> {
  const native = join(binaries.root, 'native');
  if ((await linkLibraries(binaries.root)) && (await canRunServer(account, native))) return native;
  const copy = join(await copyBinaries(binaries, home), 'native');
  if (!(await canRunServer(account, copy))) {
    throw new Error(
      `User ${account.name} cannot run ${copy}/bin/postgres: PostgreSQL needs glibc, and a file system without noexec.`,
    );
  }
  log.info(`PostgreSQL runs from ${copy}, because user ${account.name} cannot run it from ${native}`);
  return copy;
}

function canRunServer(account: ServerAccount, native: string): Promise<boolean> {
  return canRun(account, join(native, 'bin/postgres'), ['--version']);
}

/** Only what is inside belongs to the server account; it passes through the home. Set apart from the process's umask. */
async function makeHome(home: string, account: ServerAccount): Promise<void> {
  await mkdir(home, { recursive: true });
  await chmod(home, account.uid === undefined ? 0o700 : 0o711);
}

async function moveFar(
  dataDir: string,
  farRoot: string,
  account: ServerAccount,
  log: { warn(message: string): void },
): Promise<string> {
  const home = join(farRoot, shortHash(await realpath(dataDir)));
  if (await lstat(home).catch(() => undefined)) {
    // Nothing points here any more: the data folder it belonged to was deleted, and its keys with it.
    const aside = `${home}.${Date.now()}`;
    await rename(home, aside);
    log.warn(`An older database of a data folder that no longer exists was set aside as ${aside}`);
  }
  await writeFile(join(dataDir, movedFile), `${home}\n`, { flush: true });
  await makeHome(farRoot, account);
  await makeHome(home, account);
  return home;
}

async function isPrivate(folder: string, account: ServerAccount): Promise<boolean> {
  await makeOwnFolder(folder, account).catch(() => {});
  const found = await lstat(folder).catch(() => undefined);
  return (
    found?.isDirectory() === true && found.uid === (account.uid ?? process.getuid?.()) && (found.mode & 0o777) === 0o700
  );
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
