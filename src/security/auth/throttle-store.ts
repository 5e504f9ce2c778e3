import type { Tx } from '#kernel/database';

/** Whether a day has gone since the first attempt that is counted; also where a clock that has been set back since says when that was. */
const isOver = `(t.since < $2::timestamptz - interval '24 hours' OR t.since > $2::timestamptz + interval '1 hour')`;

/**
 * Counts one attempt unless the key is blocked; returns until when it is. An attempt beyond the free ones is let through and
 * blocks those after it for 2, 4, 8 … seconds. A day after the first one the count starts over: at an address that many share there is
 * never a day without any. A block longer than `longestSeconds` was set by a clock that has been set back since, and holds no more.
 */
export async function countAttempt(
  tx: Tx,
  key: string,
  free: number,
  longestSeconds: number,
  now: string,
): Promise<string | undefined> {
  const counted = await tx.query(
    `INSERT INTO login_throttles AS t (key, failures, since, last_at) VALUES ($1, 1, $2, $2)
     ON CONFLICT (key) DO UPDATE SET
       failures = CASE WHEN ${isOver} THEN 1 ELSE t.failures + 1 END,
       since = CASE WHEN ${isOver} THEN $2 ELSE t.since END,
       last_at = $2,
       blocked_until = CASE WHEN NOT ${isOver} AND t.failures + 1 >= $3
         THEN $2::timestamptz + least($4, 2 ^ least(t.failures + 2 - $3, 20)) * interval '1 second' END
     WHERE t.blocked_until IS NULL OR t.blocked_until <= $2 OR t.blocked_until > $2::timestamptz + $4 * interval '1 second'
     RETURNING 1`,
    [key, now, free, longestSeconds],
  );
  if (counted.length > 0) return undefined;
  const row = await tx.one<{ blockedUntil: string }>('SELECT blocked_until FROM login_throttles WHERE key = $1', [key]);
  return row.blockedUntil;
}

/** Deletes a counter. */
export async function clearFailures(tx: Tx, key: string): Promise<void> {
  await tx.execute('DELETE FROM login_throttles WHERE key = $1', [key]);
}

/** Takes one attempt back, with the wait that it put on those after it. */
export async function forgiveAttempt(tx: Tx, key: string): Promise<void> {
  await tx.execute(
    'UPDATE login_throttles SET failures = greatest(failures - 1, 0), blocked_until = NULL WHERE key = $1',
    [key],
  );
}

/** Deletes counters untouched since a moment. */
export function purgeThrottles(tx: Tx, before: string): Promise<number> {
  return tx.execute('DELETE FROM login_throttles WHERE last_at < $1', [before]);
}
