import type { Clock } from '#kernel/clock';
import type { Logger } from '#kernel/logger';

const writeEveryMs = 60_000;
const flushEveryMs = 5_000;

/**
 * Remembers when keys and sessions were last used and writes it down off the request's path, in batches, each at most once a
 * minute.
 */
export class LastUses {
  readonly #write: (uses: { id: string; at: string }[]) => Promise<void>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #seen = new Map<string, { at: number; written: number }>();
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: { write: (uses: { id: string; at: string }[]) => Promise<void>; clock: Clock; log: Logger }) {
    this.#write = deps.write;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Notes a use. `atMs`: milliseconds since the epoch. */
  touch(id: string, atMs: number): void {
    const seen = this.#seen.get(id);
    if (seen === undefined) this.#seen.set(id, { at: atMs, written: Number.NEGATIVE_INFINITY });
    else seen.at = atMs;
  }

  /** Milliseconds since the epoch of the last use that this process saw. */
  lastOf(id: string): number | undefined {
    return this.#seen.get(id)?.at;
  }

  /** Writes what is due; forgets what has not been used for two minutes. */
  async flush(): Promise<void> {
    const now = this.#clock.now().epochMilliseconds;
    const due: { id: string; at: string }[] = [];
    for (const [id, seen] of this.#seen) {
      if (seen.at > seen.written && now - seen.written >= writeEveryMs) {
        due.push({ id, at: new Date(seen.at).toISOString() });
        seen.written = seen.at;
      } else if (now - seen.at > 2 * writeEveryMs) this.#seen.delete(id);
    }
    if (due.length > 0) await this.#write(due);
  }

  /** Flushes every five seconds until the returned function is called. */
  start(): () => Promise<void> {
    const timer = setInterval(() => {
      this.#writing = this.flush().catch((error: unknown) => this.#log.debug({ err: error }, 'last uses not written'));
    }, flushEveryMs);
    return async () => {
      clearInterval(timer);
      await this.#writing;
      await this.flush().catch(() => undefined);
    };
  }
}
