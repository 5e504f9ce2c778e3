import { formatId } from '#kernel/ids';

import type { Lease } from './lease.ts';
import { shownAmount } from './shown-amount.ts';

/** What a call reserves: tokens, and money in micros of the tenant's currency. A concurrency slot is one per call. */
export type Amounts = { tokens: bigint; money: bigint };

/** What a settled call takes from a lease; goes into the commit of the call's row. */
export type LeaseCharge = { leaseId: string; amount: bigint };

/** What was set aside under all limits of a call, until settled or released; whichever comes second does nothing. */
export type Reservation = {
  readonly reserved: Amounts;
  /** Ids of the limits. */
  readonly limits: string[];
  /** Ends the hold with what was used. */
  settle(used: Amounts): LeaseCharge[];
  /** Ends the hold, nothing used. */
  release(): void;
  /** For the decision trace. */
  detail(): Record<string, unknown>;
};

/** An amount under one limit. */
export type Part = { readonly lease: Lease; readonly amount: number };

const nothing: Amounts = { tokens: 0n, money: 0n };

/** The reservation of a call that no limit counts. */
export const noReservation: Reservation = {
  reserved: nothing,
  limits: [],
  settle: () => [],
  release: () => undefined,
  detail: () => ({ limits: [] }),
};

/** Sets the parts aside. `ended` is told when they are free again. */
export function hold(parts: readonly Part[], now: number, ended: () => void): Reservation {
  for (const { lease, amount } of parts) lease.take(amount, now);
  let open = true;
  const end = (used: Amounts): LeaseCharge[] => {
    if (!open) return [];
    open = false;
    const charges: LeaseCharge[] = [];
    for (const { lease, amount } of parts) {
      const { resource } = lease.limit;
      const part = resource === 'tokens' || resource === 'money' ? used[resource] : 0n;
      lease.settle(amount, Number(part));
      if (part > 0n) charges.push({ leaseId: lease.id, amount: part });
    }
    ended();
    return charges;
  };
  const largest = (resource: 'tokens' | 'money') =>
    BigInt(Math.max(0, ...parts.map(({ lease, amount }) => (lease.limit.resource === resource ? amount : 0))));
  return {
    get reserved() {
      return { tokens: largest('tokens'), money: largest('money') };
    },
    get limits() {
      return parts.map(({ lease }) => lease.limit.id);
    },
    settle: end,
    release: () => void end(nothing),
    detail: () => ({
      limits: parts.map(({ lease: { limit }, amount }) => ({
        limit: formatId('limit', limit.id),
        scope: limit.scope,
        resource: limit.resource,
        window: limit.window,
        reserved: shownAmount(limit.resource, amount),
      })),
    }),
  };
}
