import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterHome, chooseEndpoint, type Endpoint, prepareClusterHome } from '#kernel/postgres/cluster-home';
import { ensureCluster, superuser } from '#kernel/postgres/create-cluster';
import {
  endPostmaster,
  findOrphan,
  launchPostmaster,
  type Postmaster,
  superuserUrl,
  waitUntilReady,
} from '#kernel/postgres/postmaster';
import { type FileLock, tryFileLock } from '#kernel/run-lock';
import { BackOff } from '#kernel/supervisor';

/** What {@link startEmbeddedPostgres} needs. */
export interface EmbeddedPostgresOptions {
  /** Lintel's data folder; the cluster is kept below it unless the server account cannot reach it. */
  dataDir: string;
  log: { info(message: string): void; warn(message: string): void };
  /** Parent folder of clusters that cannot be kept in the data folder; `/var/lib/lintel` unless given. */
  farRoot?: string;
}

/** A running PostgreSQL. Its address and password stay the same for its whole life, across restarts of the server. */
export interface EmbeddedPostgres {
  /** Connection string of the superuser on database `postgres`. */
  readonly adminUrl: string;
  /** Folder of the Unix socket, or a loopback address. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Folder that holds data, log and password. */
  readonly home: string;
  /** Whether this start created the cluster. */
  readonly created: boolean;
  /** Pid of the present postmaster; another after a restart. */
  readonly pid: number;
  /** Resolves after `stop()`, or with the error when PostgreSQL could not be brought back. */
  readonly exited: Promise<Error | undefined>;
  /** Fast shutdown, then immediate; resolves when the server has ended. */
  stop(): Promise<void>;
}

/**
 * Starts the PostgreSQL of a data folder, creating it the first time, and keeps it running: a postmaster that dies comes back on the same
 * address after a back-off. One that outlived an earlier supervisor is adopted if it answers, else ended.
 *
 * @throws when another process supervises it, or when it cannot be started (in PostgreSQL's own words).
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log, farRoot } = options;
  // The server's programs do not run in our working folder.
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true });
  const lock = tryFileLock(join(dataDir, 'postgres.lock'));
  if (lock === undefined) throw new Error(`The database of ${dataDir} is in use by another Lintel process.`);
  try {
    const place = await prepareClusterHome(dataDir, log, farRoot);
    const { password, created } = await ensureCluster(place);
    const first = await adoptOrEndOrphan(place, password, log);
    const endpoint = first?.endpoint ?? (await chooseEndpoint(place));
    const cluster = new EmbeddedCluster({ place, endpoint, password, created, log, lock });
    await cluster.start(first);
    return cluster;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Milliseconds of silence after which a server counts as hung: an orphan is ended then, a new one has failed to start. */
const orphanPatienceMs = 10_000;
const startPatienceMs = 60_000;
/** Consecutive failures after which a server is given up; with the back-off about a minute. */
const maxFailures = 12;

class EmbeddedCluster implements EmbeddedPostgres {
  readonly adminUrl: string;
  readonly host: string;
  readonly port: number;
  readonly user = superuser;
  readonly password: string;
  readonly home: string;
  readonly created: boolean;
  readonly exited: Promise<Error | undefined>;
  readonly #deps: ClusterDeps;
  readonly #stopping = new AbortController();
  readonly #exit: (error: Error | undefined) => void;
  readonly #backOff = new BackOff({ maxMs: 10_000 });
  #postmaster: Postmaster | undefined;
  #kept: Promise<void> | undefined;
  #pid = 0;

  constructor(deps: ClusterDeps) {
    this.#deps = deps;
    this.host = deps.endpoint.host;
    this.port = deps.endpoint.port;
    this.password = deps.password;
    this.home = deps.place.home;
    this.created = deps.created;
    this.adminUrl = superuserUrl(deps.endpoint, deps.password);
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.exited = promise;
    this.#exit = resolve;
  }

  get pid(): number {
    return this.#pid;
  }

  async start(adopted: Postmaster | undefined): Promise<void> {
    const postmaster = adopted ?? (await this.#launchTwice());
    this.#pid = postmaster.pid;
    this.#kept = this.#keep(postmaster);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#postmaster !== undefined) await endPostmaster(this.#postmaster, this.#deps.place);
    await this.#kept;
    this.#deps.lock.release();
    this.#exit(undefined);
  }

  /** Backends of a postmaster killed just now hold its shared memory for a moment longer. */
  async #launchTwice(): Promise<Postmaster> {
    try {
      return await this.#launch();
    } catch {
      await sleep(1_000);
      return this.#launch();
    }
  }

  async #launch(): Promise<Postmaster> {
    const { place, endpoint } = this.#deps;
    const postmaster = await launchPostmaster(place, endpoint);
    this.#postmaster = postmaster;
    if (this.#stopping.signal.aborted) await endPostmaster(postmaster, place);
    try {
      await waitUntilReady(postmaster, this.adminUrl, place, startPatienceMs);
    } catch (error) {
      await endPostmaster(postmaster, place);
      throw error;
    }
    return postmaster;
  }

  async #keep(first: Postmaster): Promise<void> {
    const { log } = this.#deps;
    this.#postmaster = first;
    let started = performance.now();
    await first.ended;
    while (!this.#stopping.signal.aborted) {
      const delay = this.#backOff.nextDelay(performance.now() - started);
      log.warn(`PostgreSQL (pid ${this.#pid}) has ended, next start in ${delay} ms`);
      await sleep(delay, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopping.signal.aborted) return;
      started = performance.now();
      try {
        const postmaster = await this.#launch();
        this.#pid = postmaster.pid;
        log.info(`PostgreSQL is back (pid ${postmaster.pid})`);
        await postmaster.ended;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        log.warn(String(error));
        if (this.#backOff.shortLives >= maxFailures) return this.#exit(error as Error);
      }
    }
  }
}

interface ClusterDeps {
  place: ClusterHome;
  endpoint: Endpoint;
  password: string;
  created: boolean;
  log: EmbeddedPostgresOptions['log'];
  lock: FileLock;
}

async function adoptOrEndOrphan(
  place: ClusterHome,
  password: string,
  log: EmbeddedPostgresOptions['log'],
): Promise<Postmaster | undefined> {
  const orphan = findOrphan(place);
  if (orphan === undefined) return undefined;
  try {
    await waitUntilReady(orphan, superuserUrl(orphan.endpoint, password), place, orphanPatienceMs);
    log.info(`PostgreSQL (pid ${orphan.pid}) outlived its supervisor and is taken over`);
    return orphan;
  } catch {
    log.warn(`PostgreSQL (pid ${orphan.pid}) outlived its supervisor but does not answer; it is ended`);
    await endPostmaster(orphan, place, true);
    return undefined;
  }
}
