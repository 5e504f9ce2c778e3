import { AsyncLocalStorage } from 'node:async_hooks';

import type { Logger } from '#kernel/logger';
import type { RunEngine } from './run-engine.ts';
import { leaseMs } from './run-store.ts';

/**
 * The background's hand: takes queued runs, and those whose holder fell silent, and drives a bounded number of them at a time.
 * Looks again at every event that frees a run ({@link poke}) and once a second anyway.
 */
export class RunWorker {
  readonly #deps: { engine: RunEngine; log: Logger; concurrency: number };
  #running = 0;
  #looking: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #lostFrom = Number.NEGATIVE_INFINITY;
  // Whoever pokes may be inside a transaction that all doors join; the worker is not.
  readonly #outside = AsyncLocalStorage.snapshot();

  constructor(deps: { engine: RunEngine; log: Logger; concurrency: number }) {
    this.#deps = deps;
  }

  /** Begins to look for runs. */
  start(): void {
    this.#timer = setInterval(() => this.poke(), 1_000);
    this.poke();
  }

  /** Looks now. */
  poke(): void {
    if (this.#timer === undefined) return;
    this.#again = true;
    this.#looking ??= this.#outside(() => this.#look()).finally(() => {
      this.#looking = undefined;
    });
  }

  /** Takes no more runs; those in hand go back to the queue after their step. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#looking;
    await this.#deps.engine.drain();
  }

  async #look(): Promise<void> {
    const { engine, log, concurrency } = this.#deps;
    while (this.#again && this.#timer !== undefined) {
      this.#again = false;
      const free = concurrency - this.#running;
      if (free <= 0) return;
      try {
        const runs = await engine.claim(free, performance.now() >= this.#lostFrom);
        for (const run of runs) {
          this.#running++;
          void engine
            .drive(run)
            .catch((error: unknown) => log.error({ err: error, runId: run.id }, 'a run could not be driven'))
            .finally(() => {
              this.#running--;
              this.poke();
            });
        }
        if (runs.length === free) this.#again = true;
      } catch (error) {
        // Nobody could renew a lease then: who is silent now is not lost yet.
        this.#lostFrom = performance.now() + leaseMs;
        log.warn({ err: error }, 'no runs can be taken at the moment');
      }
    }
  }
}
