import { becauseOf, type Cause } from '#kernel/cause';
import type { Tx } from '#kernel/database';
import { append } from '#kernel/log';

import { shownAmount } from './shown-amount.ts';
import type { LimitRow } from './store.ts';

/** Appends the event of a limit that was set, changed or taken away. */
export async function tellLimit(
  tx: Tx,
  verb: 'created' | 'updated' | 'deleted',
  limit: LimitRow,
  data: Record<string, unknown>,
  cause: Cause,
  now: Temporal.Instant,
): Promise<void> {
  const subject = { kind: 'limit', id: limit.id, name: `${limit.scope} ${limit.resource} per ${limit.window}` };
  const type = `quota.limit.${verb}`;
  await append(tx, { tenantId: limit.tenantId, type, subject, data, ...becauseOf(cause) }, now);
}

/** A limit as its events show it. */
export function shownLimit(limit: LimitRow): Record<string, unknown> {
  const { scope, scopeId, resource, window, burst, enabled } = limit;
  return { scope, scopeId, resource, window, amount: shownAmount(resource, limit.amount), burst, enabled };
}
