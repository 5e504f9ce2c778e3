import type { Cause } from '#kernel/cause';
import type { Tx } from '#kernel/database';
import { newId } from '#kernel/ids';

import { insertLimit, readLimitPage } from './store.ts';
import { shownLimit, tellLimit } from './tell-limit.ts';

/** More than there are kinds of limits: a key has one of each at most. */
const all = 100;

/**
 * Sets the limits of a key for the one that takes its place as well, in the transaction that makes it: to be rotated frees no key from
 * its budget. What each of the two uses is counted apart.
 */
export async function carryLimits(
  tx: Tx,
  tenantId: string,
  keys: { from: string; to: string },
  cause: Cause,
  now: Temporal.Instant,
): Promise<void> {
  const at = now.toString();
  for (const limit of await readLimitPage(tx, tenantId, { scope: 'key', scopeId: keys.from }, undefined, all)) {
    const carried = { ...limit, id: newId(), scopeId: keys.to, createdAt: at, updatedAt: at };
    await insertLimit(tx, carried);
    await tellLimit(tx, 'created', carried, { after: shownLimit(carried) }, cause, now);
  }
}
