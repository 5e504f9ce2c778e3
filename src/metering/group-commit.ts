import { AsyncLocalStorage } from 'node:async_hooks';

/** An item that waits for its commit. */
export type Waiting<T> = { readonly item: T; readonly resolve: () => void; readonly reject: (error: unknown) => void };

/**
 * Gathers items for `windowMs` or until there are `maxItems`, and commits them together; the next batch gathers while one
 * commits, so commits never overlap and their order is that of the batches. `commit` settles each item itself; one that it
 * left open when it throws is rejected with that error.
 */
export class GroupCommit<T> {
  readonly #windowMs: number;
  readonly #maxItems: number;
  readonly #commit: (batch: readonly Waiting<T>[]) => Promise<void>;
  // A batch belongs to nobody's request: begun inside one, it would join that one's open transaction (kernel/database).
  readonly #outside = AsyncLocalStorage.snapshot();
  #gathering: Waiting<T>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #committing: Promise<void> | undefined;

  constructor(config: {
    windowMs: number;
    maxItems: number;
    commit: (batch: readonly Waiting<T>[]) => Promise<void>;
  }) {
    this.#windowMs = config.windowMs;
    this.#maxItems = config.maxItems;
    this.#commit = config.commit;
  }

  /** Items that wait at this moment, those being committed not counted. */
  get waiting(): number {
    return this.#gathering.length;
  }

  /** Resolves when the item is committed. */
  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gathering.push({ item, resolve, reject });
      if (this.#committing !== undefined) return;
      this.#outside(() => {
        if (this.#gathering.length >= this.#maxItems) this.#begin();
        else this.#timer ??= setTimeout(() => this.#begin(), this.#windowMs);
      });
    });
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.#committing !== undefined || this.#gathering.length > 0) {
      if (this.#committing === undefined) this.#outside(() => this.#begin());
      await this.#committing;
    }
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#gathering.splice(0, this.#maxItems);
    this.#committing = this.#commit(batch)
      .catch((error: unknown) => {
        for (const { reject } of batch) reject(error);
      })
      .finally(() => {
        this.#committing = undefined;
        if (this.#gathering.length > 0) this.#begin();
      });
  }
}
