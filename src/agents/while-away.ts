import { setTimeout as sleep } from 'node:timers/promises';

import { Problem } from '#kernel/problem';

const away = new Set(['unavailable', 'limits-unavailable']);
/** Long enough for a database restart or a failover, milliseconds. */
const patienceMs = 60_000;

/** True for what says that the database, or the limits that are kept there, cannot be reached at the moment. */
export function isAway(error: unknown): boolean {
  return error instanceof Problem && away.has(error.kind.type);
}

/**
 * Does work again while the database is away, for a minute at most: the work must bear being done again. Throws what the work throws;
 * as soon as `signal` aborts, what it threw last.
 */
export async function patiently<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (const until = performance.now() + patienceMs; ; ) {
    try {
      return await work();
    } catch (error) {
      if (!isAway(error) || performance.now() > until) throw error;
      await sleep(250, undefined, { signal }).catch(() => Promise.reject(error));
    }
  }
}
