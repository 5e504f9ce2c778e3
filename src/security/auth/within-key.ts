import type { Tx } from '#kernel/database';
import { Problem } from '#kernel/problem';
import { type Judged, rbacProblems } from '#security/rbac';

import { isWithin, readAllowList } from './allow-list.ts';
import { type KeyRow, readKey } from './key-store.ts';

/** What rights are bound to in time and place; people's to nothing. */
type Bounds = { [name in 'allowedIps' | 'expiresAt']?: KeyRow[name] | undefined };

/**
 * 403 where a giver that is a key gives what it is bound in itself: a longer life, or more addresses. Else a key that leaked for an hour, or
 * from one place, would make something that lasts: a key, or a person who signs in.
 */
export async function requireWithinKey(tx: Tx, giver: Judged, given: Bounds = {}): Promise<void> {
  if (giver.kind !== 'key' || giver.id === undefined) return;
  const own = await readKey(tx, giver.tenantId, giver.id);
  const detail = own && beyondKey(own, given);
  if (detail !== undefined) throw new Problem(rbacProblems.beyondOwnRights, { detail });
}

function beyondKey({ allowedIps, expiresAt, overlapUntil }: KeyRow, given: Bounds): string | undefined {
  for (const end of [expiresAt, overlapUntil]) {
    if (end !== null && (given.expiresAt == null || Date.parse(given.expiresAt) > Date.parse(end)))
      return `Your key ends at ${end}: it gives nothing that lasts longer.`;
  }
  if (allowedIps !== null && (given.allowedIps == null || !isWithin(given.allowedIps, readAllowList(allowedIps))))
    return `Your key may be used from ${allowedIps.join(', ')} alone: it gives nothing to be used from elsewhere.`;
  return undefined;
}
