import type { ServerResponse } from 'node:http';

import { Problem, problems } from '#kernel/problem';

/** The requests under way in a process, and its end: from {@link begin} on none may come in, and {@link idle} tells when the last has ended. */
export class Drain {
  readonly #isInner: () => boolean;
  readonly #watching = new Set<ServerResponse>();
  #begun = false;
  #running = 0;
  #over = false;
  #ended: (() => void) | undefined;

  /** `isInner`: whether what comes in now is made by a call under way in this process, which could not end without it. */
  constructor(isInner: () => boolean = () => false) {
    this.#isInner = isInner;
  }

  /** Requests whose handlers have not ended. */
  get running(): number {
    return this.#running;
  }

  /** The problem that a request is refused with when it comes in too late. */
  refusal(): Problem | undefined {
    if (!this.#begun || this.#isInner()) return undefined;
    return new Problem(problems.unavailable, {
      detail: 'This process is ending.',
      headers: { 'retry-after': '5', connection: 'close' },
    });
  }

  /** Throws the refusal where the process waits for nobody any more: the body of a request came after that. */
  requireOpen(): void {
    const late = this.#over ? this.refusal() : undefined;
    if (late !== undefined) throw late;
  }

  /** Counts a handler's work until it has ended; returns it. */
  hold<T>(work: T): T {
    if (work instanceof Promise) {
      this.#running++;
      work.then(this.#end, this.#end);
    }
    return work;
  }

  /** A stream that answers a GET only shows what happens elsewhere: the end does not wait for as long as someone looks. */
  watch(response: ServerResponse): void {
    this.#watching.add(response);
    response.once('close', () => this.#watching.delete(response));
  }

  /** Refuses from now on what comes in. */
  begin(): void {
    this.#begun = true;
    for (const response of this.#watching) if (response.headersSent && !response.writableEnded) response.destroy();
  }

  /** Resolves when no handler runs; none begins from then on. */
  async idle(): Promise<void> {
    while (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#ended = resolve;
      });
    }
    this.#over = true;
  }

  readonly #end = () => {
    this.#running--;
    if (this.#running === 0) this.#ended?.();
  };
}

/** On the response's `timeout`: a client that took no byte of what waits for it has gone; one that waits itself has not. */
export function dropStalled(this: ServerResponse): void {
  if (this.writableLength > 0) this.destroy();
}
