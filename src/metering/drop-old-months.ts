import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';

import { dropMonths } from './store.ts';

/**
 * Drops the months of calls and usage whose last day is older than `days`. Safe to run anywhere and at once: one does it, the others
 * find nothing. Rejects when somebody reads the whole tables for long; what was not dropped is dropped the next time. Audit events
 * have a time of their own.
 */
export async function dropOldMonths(
  deps: { db: Pick<Doors, 'forService'>; clock: Clock; log: Pick<Logger, 'info'> },
  days: number,
): Promise<void> {
  const today = deps.clock.now().toZonedDateTimeISO('UTC').toPlainDate().toString();
  const dropped = await deps.db.forService('usage_writer', (tx) => dropMonths(tx, today, days));
  if (dropped.length > 0) deps.log.info({ dropped }, 'months of calls and usage past their time were dropped');
}
