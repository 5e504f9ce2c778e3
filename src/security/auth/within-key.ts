import { isWithin, readAllowList } from './allow-list.ts';
import type { KeyRow } from './key-store.ts';

/** What a key is bound to in time and place. */
type Bounds = Pick<KeyRow, 'allowedIps' | 'expiresAt'>;

/**
 * What a key may not give because it is bound itself: a longer life, or more addresses. Undefined when `given` is within `own`. Else a
 * key that leaked for an hour, or from one place, would make one that lasts.
 */
export function beyondKey(
  own: Bounds,
  given: { [name in keyof Bounds]?: Bounds[name] | undefined },
): string | undefined {
  const { allowedIps, expiresAt } = own;
  if (expiresAt !== null && (given.expiresAt == null || Date.parse(given.expiresAt) > Date.parse(expiresAt)))
    return `Your key expires at ${expiresAt}: it gives nothing that lasts longer.`;
  if (allowedIps !== null && (given.allowedIps == null || !isWithin(given.allowedIps, readAllowList(allowedIps))))
    return `Your key may be used from ${allowedIps.join(', ')} alone: it gives nothing to be used from elsewhere.`;
  return undefined;
}
