import type { Clock } from '#kernel/clock';
import type { Logger } from '#kernel/logger';
import { repeat } from '#kernel/repeat';

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

  /** Writes what is due, again what could not be written; forgets what has not been used for two minutes. */
  async flush(): Promise<void> {
    const now = this.#clock.now().epochMilliseconds;
    const due: { id: string; at: number }[] = [];
    for (const [id, { at, written }] of this.#seen) {
      if (at > written && now - written >= writeEveryMs) due.push({ id, at });
      else if (now - at > 2 * writeEveryMs) this.#seen.delete(id);
    }
    if (due.length === 0) return;
    await this.#write(due.map(({ id, at }) => ({ id, at: new Date(at).toISOString() })));
    for (const { id, at } of due) {
      const seen = this.#seen.get(id);
      if (seen !== undefined) seen.written = at;
    }
  }

  /** Flushes every five seconds until the returned function is called. */
  start(): () => Promise<void> {
    const stop = repeat(
      flushEveryMs,
      () => this.flush(),
      (error) => this.#log.debug({ err: error }, 'last uses not written'),
    );
    return async () => {
      await stop();
      await this.flush().catch(() => undefined);
    };
  }
}
