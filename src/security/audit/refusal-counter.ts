import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { append, type NewEvent } from '#kernel/log';
import type { Logger } from '#kernel/logger';
import { repeat } from '#kernel/repeat';
import { platformTenantId } from '#tenancy';

/** More different refusals than this before they are written become one row that counts them. */
const mostKinds = 500;

const restKey = '';

type Counted = { readonly first: NewEvent; readonly at: Temporal.Instant; count: number };

/**
 * Counts refusals and writes, once a second, one event for each principal (or address) and reason: the first with the count of
 * all. Bounded in memory and in rows, whatever comes.
 */
export class RefusalCounter {
  readonly #db: Pick<Doors, 'forPlatform'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  #counted = new Map<string, Counted>();

  constructor(deps: { db: Pick<Doors, 'forPlatform'>; clock: Clock; log: Logger }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Counts one refusal. `key`: who and why; `event` is asked for only when it is the first of its key. */
  count(key: string, event: () => NewEvent): void {
    this.#add(key, 1, () => ({ first: event(), at: this.#clock.now(), count: 1 }));
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
      const fresh = this.#counted;
      this.#counted = counted;
      for (const [key, entry] of fresh) this.#add(key, entry.count, () => entry);
      throw error;
    }
  }

  /** Writes each second until the returned function is called. */
  start(): () => Promise<void> {
    const stop = repeat(
      1_000,
      () => this.flush(),
      (error) => this.#log.debug({ err: error }, 'refusals not written yet'),
    );
    return async () => {
      await stop();
      await this.flush().catch(() => undefined);
    };
  }
  #add(key: string, count: number, make: () => Counted): void {
    const isKept = this.#counted.has(key) || this.#counted.size < mostKinds;
    const entry = this.#counted.get(isKept ? key : restKey);
    if (entry !== undefined) entry.count += count;
    else if (isKept) this.#counted.set(key, make());
    else this.#counted.set(restKey, restOf(make()));
  }
}

/** Stands for refusals of many: it is the platform's, for no tenant is to be shown what others were refused. */
function restOf({ first: { type, data }, at, count }: Counted): Counted {
  const first: NewEvent = {
    tenantId: platformTenantId,
    type,
    actor: { kind: 'system', id: 'anonymous' },
    subject: { kind: 'tenant', id: platformTenantId },
    decision: {
      allowed: false,
      reason: `More than ${mostKinds} kinds of refusals came at once; this counts the rest.`,
    },
    data: { ...data, rest: true },
  };
  return { first, at, count };
}
