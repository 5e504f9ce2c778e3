import type { Doors } from '#kernel/database';
import type { Logged } from '#kernel/follower';
import { type Event, matchesType } from '#kernel/log';
import type { Logger } from '#kernel/logger';
import type { Subscriber } from '#kernel/module';

const batch = 500;
/** How long a reader waits that nobody wakes: the follower wakes it for what it reads, and finds that by itself without the wake-up channel. */
const idleMs = 5_000;
/** A step ends after so much handling: its transaction is open meanwhile, and the database ends one that is idle for a minute. */
const stepMs = 20_000;
const lockBase = 7_216_550_000;
/** So many readers work at a time: each holds a connection while its handler takes another, and the pool must have one left. */
const atOnce = 2;

/** A subscriber at work: whether something came for it since it last began to look, and what ends its pause. */
type Reader = { readonly subscriber: Subscriber; woken: boolean; wake: (() => void) | undefined };

/**
 * Runs the durable readers of the log: each has a cursor of its own and sees every event of its types at least once, in order. An
 * event that a reader cannot handle is tried again with growing pauses; the reader stands still meanwhile, others go on.
 */
export class SubscriberRunner {
  readonly #db: Pick<Doors, 'forService'>;
  readonly #log: Logger;
  readonly #readers: Reader[];
  readonly #waiting: (() => void)[] = [];
  #working = 0;
  #stopped = false;
  #running: Promise<void>[] = [];

  constructor(deps: { db: Pick<Doors, 'forService'>; log: Logger; subscribers: readonly Subscriber[] }) {
    this.#db = deps.db;
    this.#log = deps.log;
    this.#readers = deps.subscribers.map((subscriber) => ({ subscriber, woken: false, wake: undefined }));
  }

  /** Begins to read. */
  start(): void {
    this.#running = this.#readers.map((reader) => this.#run(reader));
  }

  /** These events are in the log now; without them: something new may be. Readers of other types sleep on. */
  wake(events?: readonly Event[]): void {
    for (const reader of this.#readers) {
      const { types } = reader.subscriber;
      if (events !== undefined && !events.some(({ type }) => matchesType(type, types))) continue;
      reader.woken = true;
      reader.wake?.();
    }
  }

  /** Ends after the events in hand. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.wake();
    await Promise.all(this.#running);
  }

  async #run(reader: Reader): Promise<void> {
    const { subscriber } = reader;
    let failures = 0;
    while (!this.#stopped) {
      try {
        reader.woken = false;
        const more = await this.#inSlot(() => this.#step(subscriber));
        failures = 0;
        if (!more && !reader.woken) await this.#pause(reader, idleMs);
      } catch (error) {
        failures++;
        this.#log[failures > 3 ? 'error' : 'warn'](
          { err: error, subscriber: subscriber.name, failures },
          'a reader of the log could not go on; it tries again',
        );
        await this.#pause(reader, Math.min(30_000, 100 * 2 ** failures), false);
      }
    }
  }

  async #inSlot<T>(work: () => Promise<T>): Promise<T> {
    if (this.#working >= atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#working++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#working--;
      else next();
    }
  }

  /** Handles one batch and moves the cursor; true when there may be more. One runner at a time holds a reader's cursor. */
  async #step(subscriber: Subscriber): Promise<boolean> {
    return this.#db.forService('log_reader', async (tx) => {
      const { locked } = await tx.one<{ locked: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS locked', [
        lockBase + hash(subscriber.name),
      ]);
      if (!locked) return false;
      const cursor =
        (await tx.maybe<{ seq: number }>('SELECT seq FROM log_cursors WHERE reader = $1', [subscriber.name]))?.seq ?? 0;
      const rows = await tx.query<{ seq: number; event: Logged }>(
        'SELECT seq, event FROM log WHERE seq > $1 ORDER BY seq LIMIT $2',
        [cursor, batch],
      );
      let seq = cursor;
      let failure: unknown;
      const end = performance.now() + stepMs;
      for (const row of rows) {
        if (performance.now() > end) break;
        try {
          if (matchesType(row.event.type, subscriber.types)) await subscriber.handle({ ...row.event, seq: row.seq });
        } catch (error) {
          failure = error;
          break;
        }
        seq = row.seq;
      }
      if (seq !== cursor) {
        await tx.execute(
          'INSERT INTO log_cursors (reader, seq) VALUES ($1, $2) ON CONFLICT (reader) DO UPDATE SET seq = excluded.seq',
          [subscriber.name, seq],
        );
      }
      if (failure !== undefined && seq === cursor) throw failure;
      return rows.length === batch || seq < (rows.at(-1)?.seq ?? seq);
    });
  }

  /** After a failure new events don't end the pause: they wait behind the one that failed. */
  #pause(reader: Reader, ms: number, wakeable = true): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        if (!wakeable && !this.#stopped && performance.now() < end) return;
        clearTimeout(timer);
        reader.wake = undefined;
        resolve();
      };
      const end = performance.now() + ms - 1;
      const timer = setTimeout(done, ms);
      if (this.#stopped) done();
      else reader.wake = done;
    });
  }
}

/** A small stable number of a name (FNV-1a, 32 bits). */
function hash(name: string): number {
  let value = 2_166_136_261;
  for (const char of name) value = Math.imul(value ^ (char.codePointAt(0) as number), 16_777_619) >>> 0;
  return value;
}
