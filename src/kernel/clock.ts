/** Where business time comes from: one clock per process, passed to whoever needs the time. */
export type Clock = {
  /** The present instant (UTC). */
  now(): Temporal.Instant;
  /** Milliseconds that never jump: for lease ends, timeouts and durations. */
  monotonic(): number;
};

let lastMs = 0;
let last = Temporal.Instant.fromEpochMilliseconds(lastMs);

/** The machine's clock. */
export const systemClock: Clock = {
  // Whole milliseconds: what is stored reads back as the same text.
  now: () => {
    const ms = Date.now();
    // A call asks several times within a millisecond.
    if (ms !== lastMs) {
      lastMs = ms;
      last = Temporal.Instant.fromEpochMilliseconds(ms);
    }
    return last;
  },
  monotonic: () => performance.now(),
};

/** A clock that stands still until moved; only under `NODE_ENV=test`, throws elsewhere. */
export class TestClock implements Clock {
  #now: Temporal.Instant;
  #monotonic = 0;

  constructor(start: string, environment: string | undefined) {
    if (environment !== 'test') throw new Error('The test clock works only under NODE_ENV=test.');
    this.#now = Temporal.Instant.from(start);
  }

  now(): Temporal.Instant {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Moves wall and monotonic time forward together. */
  advance(duration: Temporal.DurationLike): void {
    const ms = Temporal.Duration.from(duration).total({
      unit: 'milliseconds',
      relativeTo: this.#now.toZonedDateTimeISO('UTC'),
    });
    this.#now = this.#now.add({ milliseconds: Math.round(ms) });
    this.#monotonic += ms;
  }

  /** Moves the wall clock alone: a clock jump. */
  jump(to: string): void {
    this.#now = Temporal.Instant.from(to);
  }
}
