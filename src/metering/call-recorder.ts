import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { UnknownOutcome } from '#kernel/database-faults';
import type { Logger } from '#kernel/logger';
import { Problem, problems } from '#kernel/problem';

import { cleanText } from './clean-text.ts';
import { EntryCommitter, type Recorded } from './commit-entries.ts';
import { explainSpool, type SpoolTrouble } from './explain-spool.ts';
import { GroupCommit, type Waiting } from './group-commit.ts';
import { type ChargeSink, entryId } from './records.ts';
import { Spool } from './spool.ts';

/** How recording is done. */
export type RecorderConfig = {
  /** The node: names the numbering of rows. */
  writer: string;
  windowMs: number;
  /** Milliseconds until a commit without an answer is taken for lost and its batch goes to the spool. */
  patienceMs: number;
  /** Milliseconds a lease outlives its last renewal: what ended longer ago comes late. */
  leaseRunMs: number;
  /** No folder, no spool: while the database is away calls get 503. */
  spool: { folder: string; maxBytes: number } | undefined;
};

const maxItems = 500;
const retryMs = 500;

/**
 * Writes what was used so that an answer can leave: commits in groups, and while the database is away keeps entries in the
 * spool, from where they are committed when it is back. Each entry is committed once, whatever is repeated or killed.
 */
export class CallRecorder {
  readonly #db: Pick<Doors, 'forService' | 'inOneTrip'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #config: RecorderConfig;
  readonly #committer: EntryCommitter;
  readonly #spool: Spool | undefined;
  readonly #group: GroupCommit<Recorded>;
  #tail: Promise<unknown> = Promise.resolve();
  #away = false;
  #stopped = false;
  #taking: Promise<void> = Promise.resolve();
  #trouble: SpoolTrouble | undefined;
  #wake: (() => void) | undefined;

  constructor(
    deps: { db: Pick<Doors, 'forService' | 'inOneTrip'>; clock: Clock; log: Logger; charges: ChargeSink },
    config: RecorderConfig,
  ) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#config = config;
    this.#committer = new EntryCommitter({ ...deps, writer: config.writer });
    this.#spool = config.spool === undefined ? undefined : new Spool({ ...config.spool, owner: config.writer });
    this.#group = new GroupCommit({ windowMs: config.windowMs, maxItems, commit: (batch) => this.#commit(batch) });
  }

  /** True while entries go to the spool. */
  get away(): boolean {
    return this.#away;
  }

  /** Bytes in the spool. */
  get spoolBytes(): number {
    return this.#spool?.bytes ?? 0;
  }

  /** Why the spool cannot be taken in at the moment; undefined when nothing stands in the way. */
  get trouble(): SpoolTrouble | undefined {
    return this.#trouble;
  }

  /** Opens the spool and begins to take in what an earlier process left there. */
  async start(): Promise<void> {
    await this.#committer.tend().catch((error: unknown) => this.#log.warn({ err: error }, 'no partitions made'));
    if (this.#spool === undefined) return;
    await this.#spool.open();
    if ((await this.#spool.closed()).length > 0) this.#beginTaking();
  }

  /** Commits what waits and ends; what is in the spool stays for the next process on its folder. */
  async stop(): Promise<void> {
    await this.#group.drain();
    this.#stopped = true;
    this.#wake?.();
    await this.#taking;
    await this.#spool?.rotate();
  }

  /** Makes the partitions that will be needed. */
  tend(): Promise<void> {
    return this.#committer.tend();
  }

  /**
   * Resolves when the entry is committed, or synced to the spool while the database is away. Rejects with 503 when neither is
   * possible, with TypeError when it has neither a call nor usage.
   */
  record(entry: Recorded): Promise<void> {
    entryId(entry);
    return this.#group.add(entry);
  }

  /** Takes in the folder of another process that ended. Returns how many entries it held. */
  async ingest(folder: string): Promise<number> {
    const spool = new Spool({ folder, owner: this.#config.writer, maxBytes: 0 });
    await spool.open();
    return this.#takeAll(spool);
  }

  async #commit(batch: readonly Waiting<Recorded>[]): Promise<void> {
    if (this.#away) return this.#keep(batch);
    try {
      await this.#patiently(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      return isDataFault(error) ? this.#apart(batch, error) : this.#unheard(batch, error);
    }
  }

  /** Whether a commit took effect is not known, or the database is away: keeps the batch, or insists where nothing can be kept. */
  async #unheard(batch: readonly Waiting<Recorded>[], error: unknown): Promise<void> {
    this.#log.warn({ err: error }, 'calls cannot be committed');
    this.#committer.nextEpoch();
    if (this.#spool === undefined) return this.#insist(batch, error);
    this.#away = true;
    await this.#keep(batch).finally(() => this.#beginTaking());
  }

  /** One bad entry must not take the others with it: halves, down to the one. */
  async #apart(batch: readonly Waiting<Recorded>[], error: unknown): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) {
      const clean = { ...only, item: cleanText(only.item) };
      try {
        await this.#patiently([clean.item]);
        only.resolve();
      } catch (again) {
        if (!isDataFault(again)) return this.#unheard([clean], again);
        this.#log.error({ err: again, first: error, id: entryId(only.item) }, 'an entry cannot be recorded');
        only.reject(again);
      }
      return;
    }
    const middle = batch.length >> 1;
    await this.#commit(batch.slice(0, middle));
    await this.#commit(batch.slice(middle));
  }

  /** Without a spool: tries again for a moment; whether the first attempt took effect does not matter. */
  async #insist(batch: readonly Waiting<Recorded>[], first: unknown): Promise<void> {
    const entries = batch.map(({ item }) => item);
    const end = performance.now() + this.#config.patienceMs;
    let last = first;
    while (first instanceof UnknownOutcome && performance.now() < end) {
      try {
        await this.#inTurn(() => this.#committer.commit(entries, this.#late()));
        for (const { resolve } of batch) resolve();
        return;
      } catch (error) {
        last = error;
        this.#committer.nextEpoch();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    throw new Problem(problems.unavailable, {
      detail: 'The database is away and there is no spool: the call cannot be recorded.',
      headers: { 'retry-after': '2' },
      cause: last,
    });
  }

  async #patiently(entries: readonly Recorded[]): Promise<void> {
    const work = this.#inTurn(() => this.#committer.commit(entries));
    if (this.#spool === undefined) return work;
    let timer: NodeJS.Timeout | undefined;
    const given = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // The commit may yet succeed: it goes on under its old epoch, and what is repeated is left out.
        this.#tail = Promise.resolve();
        reject(new Error(`no answer to a commit for ${this.#config.patienceMs} ms`));
      }, this.#config.patienceMs);
    });
    try {
      await Promise.race([work, given]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #keep(batch: readonly Waiting<Recorded>[]): Promise<void> {
    await this.#spool?.append(batch.map(({ item }) => toJson(item)));
    for (const { resolve } of batch) resolve();
  }

  #beginTaking(): void {
    this.#taking = this.#taking.then(async () => {
      const told = new Set<string>();
      while (!this.#stopped) {
        try {
          await this.#db.forService('usage_writer', (tx) => tx.query('SELECT 1'));
          await this.#spool?.rotate();
          await this.#takeAll(this.#spool as Spool);
          this.#trouble = undefined;
          if (!this.#away) return;
          // Once more around: batches that were on their way to the spool just now.
          this.#away = false;
          this.#log.info('the database is back; calls are committed again');
        } catch (error) {
          const trouble = explainSpool(error);
          this.#trouble = trouble;
          if (!told.has(trouble.cause)) {
            const about = { err: error, folder: this.#spool?.folder, bytes: this.spoolBytes };
            this.#log.warn(about, `the spool cannot be taken in, and is tried again twice a second: ${trouble.advice}`);
          }
          told.add(trouble.cause);
          // The database answered: calls need not go to a folder that cannot be emptied.
          if (trouble.inFolder) this.#away = false;
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, retryMs);
            this.#wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
      }
    });
  }

  async #takeAll(spool: Spool): Promise<number> {
    let taken = 0;
    for (const name of await spool.closed()) {
      const { lines, damaged } = await spool.read(name);
      for (let at = 0; at < lines.length; at += maxItems) {
        damaged.push(...(await this.#take(lines.slice(at, at + maxItems))));
      }
      if (damaged.length > 0) this.#log.error({ name, lines: damaged.length }, 'lines of a spool cannot be read');
      await spool.remove(name, damaged);
      taken += lines.length;
      this.#log.info({ name, entries: lines.length }, 'a spool was taken in');
    }
    return taken;
  }

  /** Commits lines of a spool; returns those that the database will not take. */
  async #take(lines: readonly string[]): Promise<readonly string[]> {
    try {
      await this.#inTurn(() => this.#committer.commit(lines.map(fromJson), this.#late()));
      return [];
    } catch (error) {
      if (!isDataFault(error)) {
        this.#committer.nextEpoch();
        throw error;
      }
      if (lines.length > 1) {
        const middle = lines.length >> 1;
        return [...(await this.#take(lines.slice(0, middle))), ...(await this.#take(lines.slice(middle)))];
      }
      const clean = lines.map((line) => JSON.stringify(cleanText(JSON.parse(line))));
      return clean[0] === lines[0] ? lines : this.#take(clean);
    }
  }

  #late(): { before: Temporal.Instant } {
    return { before: this.#clock.now().subtract({ milliseconds: this.#config.leaseRunMs }) };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}

/** True for errors that one row causes (SQLSTATE classes 22 and 23), as opposed to the database being unable to write. */
function isDataFault(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return error instanceof RangeError || error instanceof TypeError || (typeof code === 'string' && /^2[23]/.test(code));
}

function toJson({ call, usage, charges, requests }: Recorded): string {
  return JSON.stringify({
    call,
    usage,
    charges: charges.map(({ leaseId, amount }) => ({ leaseId, amount: amount.toString() })),
    requests,
  });
}

function fromJson(line: string): Recorded {
  const entry = JSON.parse(line) as Omit<Recorded, 'charges'> & { charges: { leaseId: string; amount: string }[] };
  return { ...entry, charges: entry.charges.map(({ leaseId, amount }) => ({ leaseId, amount: BigInt(amount) })) };
}
