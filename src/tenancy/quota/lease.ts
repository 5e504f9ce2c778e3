import type { Period } from '#kernel/calendar';

import type { Limit } from './limits.ts';

/** What this process holds of one limit in one window. Amounts in the limit's unit. */
export class Lease {
  /** Names the lease in charges: `tenant/limit/window start/window end/holder`, times in epoch milliseconds. */
  readonly id: string;
  readonly window: Period;
  readonly startMs: number;
  readonly endMs: number;
  readonly holderId: string;
  limit: Limit;
  /** All that was ever granted and not given back; undefined until the database was asked. */
  granted: number | undefined;
  /** `granted` as the database has it. */
  written = 0;
  /** Neither reserved nor used. Negative: calls used more than they had reserved. */
  free = 0;
  /** Reserved by calls under way. */
  open = 0;
  /** What was free after it last grew: at half of it the lease grows again. */
  target = 0;
  /** Amount − used as last read from the database; only falls within a window. */
  unused: number | undefined;
  /** Monotonic milliseconds before which the database need not be asked again, and the same for filling up ahead. */
  retryAt = 0;
  aheadAt = 0;
  /** Wants to grow ahead of need. */
  ahead = false;
  /** The limit was deleted before this process heard of it: nothing is limited. */
  lifted = false;
  touchedAt: number;

  constructor(limit: Limit, window: Period, holderId: string, now: number) {
    this.limit = limit;
    this.window = window;
    this.startMs = window.start.epochMilliseconds;
    this.endMs = window.end.epochMilliseconds;
    this.holderId = holderId;
    this.touchedAt = now;
    this.id = [limit.tenantId, limit.id, window.start.epochMilliseconds, this.endMs, holderId].join('/');
  }

  /** Sets an amount aside for a call. */
  take(amount: number, now: number): void {
    this.free -= amount;
    this.open += amount;
    this.touchedAt = now;
    if (!this.ahead && this.free * 2 < this.target && now >= this.aheadAt) this.ahead = true;
  }

  /** Ends a call's hold: what it did not use is free again. */
  settle(amount: number, used: number): void {
    this.open -= amount;
    this.free += amount - used;
  }

  /** Gives back what is free, or what is free above `keep`; the database is told by whoever writes `granted`. */
  giveBack(keep = 0): void {
    if (this.granted === undefined || this.free <= keep) return;
    this.granted -= this.free - keep;
    this.free = keep;
    this.target = Math.min(this.target, keep);
    this.ahead = false;
  }

  /** The limit is no more. */
  lift(): void {
    this.lifted = true;
    this.free = Number.MAX_SAFE_INTEGER;
    this.unused = undefined;
    this.granted = undefined;
    this.ahead = false;
  }

  /** Grows by what the database granted. `base`: what its row stood at. */
  grow(base: number, amount: number): void {
    const before = this.granted ?? base;
    this.granted = before + amount;
    this.written = base + amount;
    this.free += amount;
    this.target = Math.max(0, this.free);
    this.ahead = false;
  }
}

/**
 * The life of this process under which it holds leases, and until when it may spend them: by the monotonic clock, and by the wall
 * clock, since the monotonic one stands still while a machine is suspended.
 */
export type Holder = { id: string; validUntil: number; validUntilMs: number };

/** What the database said about a lease: what it granted, what its row stood at before, and what is not used of the limit. */
export type Granted = { lease: Lease; limit: 'gone' } | { lease: Lease; base: number; amount: number; unused: number };

/** The parts of a lease's name. */
export type LeaseName = {
  tenantId: string;
  limitId: string;
  /** Milliseconds since the epoch. */
  windowStart: number;
  windowEnd: number;
  holderId: string;
};

/** Reads a lease's name; throws TypeError for any other text. */
export function parseLeaseId(id: string): LeaseName {
  const [tenantId, limitId, start, end, holderId, ...more] = id.split('/');
  if (tenantId === undefined || limitId === undefined || holderId === undefined || more.length > 0) {
    throw new TypeError('not the name of a lease');
  }
  return { tenantId, limitId, windowStart: Number(start), windowEnd: Number(end), holderId };
}
