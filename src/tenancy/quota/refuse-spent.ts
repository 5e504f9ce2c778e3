import { type LimitState, spent } from './problems.ts';
import type { Part } from './reservation.ts';

/** Throws 402 when what was read from the database shows that no wait can help: used amounts never fall within a window. */
export function refuseSpent(parts: readonly Part[]): void {
  for (const part of parts) {
    const { lease, amount } = part;
    const { resource } = lease.limit;
    if (resource !== 'concurrency' && amount > lease.free && amount > (lease.unused ?? amount))
      throw spent(stateOf(part));
  }
}

/** What a refusal says about the limit in a call's way. */
export function stateOf({ lease, amount }: Part): LimitState {
  const resetsAt = lease.limit.window === 'none' ? null : lease.window.end;
  return { limit: lease.limit, remaining: lease.unused ?? 0, need: amount, resetsAt };
}
