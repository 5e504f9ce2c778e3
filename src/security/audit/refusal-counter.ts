import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { append, type NewEvent } from '#kernel/log';
import type { Logger } from '#kernel/logger';

/** More different refusals than this in one second become one row that counts them. */
const mostKinds = 500;

const restKey = '';

/**
 * Counts refusals and writes, once a second, one event for each principal (or address) and reason: the first with the count of
 * all. Bounded in memory and in rows, whatever comes.
 */
export class RefusalCounter {
  readonly #db: Pick<Doors, 'forPlatform'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  #counted = new Map<string, { first: NewEvent; at: Temporal.Instant; count: number }>();
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: { db: Pick<Doors, 'forPlatform'>; clock: Clock; log: Logger }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Counts one refusal. `key`: who and why; `event` is asked for only when it is the first of its key. */
  count(key: string, event: () => NewEvent): void {
    const kept = this.#counted.has(key) || this.#counted.size < mostKinds ? key : restKey;
    const entry = this.#counted.get(kept);
    if (entry !== undefined) entry.count++;
    else this.#counted.set(kept, { first: event(), at: this.#clock.now(), count: 1 });
  }

  /** Writes what was counted; keeps it for the next time when the database is away. */
  async flush(): Promise<void> {
    if (this.#counted.size === 0) return;
    const counted = this.#counted;
    this.#counted = new Map();
    try {
      await this.#db.forPlatform(async (tx) => {
        for (const { first, at, count } of counted.values())
          await append(tx, { ...first, data: { ...first.data, count } }, at);
      });
    } catch (error) {
      for (const [key, old] of counted) {
        const fresh = this.#counted.get(key);
        if (fresh !== undefined) old.count += fresh.count;
        this.#counted.set(key, old);
      }
      throw error;
    }
  }

  /** Writes each second until the returned function is called. */
  start(): () => Promise<void> {
    const timer = setInterval(() => {
      this.#writing = this.#writing
        .then(() => this.flush())
        .catch((error: unknown) => this.#log.debug({ err: error }, 'refusals not written yet'));
    }, 1_000);
    return async () => {
      clearInterval(timer);
      await this.#writing;
      await this.flush().catch(() => undefined);
    };
  }
}
