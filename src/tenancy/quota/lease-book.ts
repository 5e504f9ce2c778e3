import type { Clock } from '#kernel/clock';

import { type Granted, type Holder, Lease } from './lease.ts';
import { type Limit, type Subjects, type TenantLimits, windowOf } from './limits.ts';
import { blocked, unavailable } from './problems.ts';
import { refuseSpent, stateOf } from './refuse-spent.ts';
import { type Amounts, hold, noReservation, type Part, type Reservation } from './reservation.ts';
import type { Want } from './share-remaining.ts';

type Waiter = {
  subjects: Subjects;
  amounts: Amounts;
  timer: NodeJS.Timeout;
  resolve: (reservation: Reservation) => void;
  reject: (error: unknown) => void;
};

const never = { validUntil: Number.NEGATIVE_INFINITY, validUntilMs: Number.NEGATIVE_INFINITY };
const waitMs = 250;
const coldMs = 2_000;
const dryMs = 20;

/**
 * The leases of this process: reserves and settles in memory, at once when every limit of a call has enough free, all or none.
 * Else the call waits up to 250 ms for the keeper to bring more.
 */
export class LeaseBook {
  readonly #clock: Clock;
  readonly #limitsOf: (tenantId: string) => TenantLimits | undefined;
  readonly #zoneOf: (tenantId: string) => string;
  readonly #leases = new Map<string, Lease>();
  readonly #retired = new Map<string, Lease>();
  readonly #waiters = new Set<Waiter>();
  #serving = false;
  #failing = false;

  /** The present holder; set by the keeper. */
  holder: Holder = { id: '', ...never };
  /** Told when a lease wants to grow. */
  onWant: () => void = () => undefined;

  constructor(deps: {
    clock: Clock;
    limitsOf: (tenantId: string) => TenantLimits | undefined;
    zoneOf: (tenantId: string) => string;
  }) {
    this.#clock = deps.clock;
    this.#limitsOf = deps.limitsOf;
    this.#zoneOf = deps.zoneOf;
  }

  /** How many leases are held: for metrics. */
  get size(): number {
    return this.#leases.size + this.#retired.size;
  }

  /** Throws 402, 429 or 503 (or rejects with it after waiting). */
  reserve(subjects: Subjects, amounts: Amounts): Reservation | Promise<Reservation> {
    const at = this.#wall();
    const parts = this.#partsOf({ subjects, amounts }, at);
    if (parts.length === 0) return noReservation;
    const now = this.#clock.monotonic();
    if (this.#enough(parts, now, at)) return this.#take(parts, now);
    refuseSpent(parts);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { subjects, amounts, resolve, reject, timer: setTimeout(() => end(), waitMs) };
      const end = () => {
        // A limit not read yet, or a renewal under way, is no refusal: the answer of a busy database may take longer.
        const unread = this.#partsOf({ subjects, amounts }).some(({ lease }) => lease.unused === undefined);
        const cold = unread || !this.valid();
        if (cold && !this.#failing && this.#clock.monotonic() - now < coldMs) {
          waiter.timer = setTimeout(end, waitMs / 5);
          return;
        }
        this.#giveUp(waiter);
      };
      this.#waiters.add(waiter);
      this.onWant();
    });
  }

  /** What leases want to grow, for calls that wait and ahead of need; not those the database had nothing for just now. */
  wants(): Map<Lease, Want> {
    const wants = new Map<Lease, Want>();
    const now = this.#clock.monotonic();
    for (const { subjects, amounts } of this.#waiters) {
      for (const { lease, amount } of this.#partsOf({ subjects, amounts })) {
        if (lease.free >= amount || lease.retryAt > now) continue;
        const want = wants.get(lease);
        if (want === undefined) wants.set(lease, { free: lease.free, most: amount, least: amount });
        else {
          want.most = Math.max(want.most, amount);
          want.least = Math.min(want.least, amount);
        }
      }
    }
    for (const lease of this.#leases.values()) {
      if (lease.ahead && !wants.has(lease) && lease.retryAt <= now)
        wants.set(lease, { free: lease.free, most: 0, least: 0 });
    }
    return wants;
  }

  /** Whether calls wait. */
  get waiting(): boolean {
    return this.#waiters.size > 0;
  }

  /** Takes what the database answered, and lets waiting calls go on. Returns the leases that got nothing though calls wait for them. */
  apply(results: readonly Granted[], wants: ReadonlyMap<Lease, Want>): Lease[] {
    this.#failing = false;
    const now = this.#clock.monotonic();
    const dry: Lease[] = [];
    for (const result of results) {
      const { lease } = result;
      if ('limit' in result) {
        // Deleted, and the snapshot does not know yet: it limits nothing any more.
        lease.lift();
        continue;
      }
      lease.unused = result.unused;
      lease.grow(result.base, result.amount);
      if (result.amount > 0) continue;
      lease.retryAt = now + dryMs;
      lease.aheadAt = now + 5 * dryMs;
      if ((wants.get(lease)?.most ?? 0) > 0) dry.push(lease);
    }
    this.serve();
    return dry;
  }

  /** The database could not be asked. */
  failed(): void {
    this.#failing = true;
    const now = this.#clock.monotonic();
    for (const lease of this.#leases.values()) {
      lease.ahead = false;
      lease.aheadAt = now + 25 * dryMs;
    }
  }

  /** Another node needs this limit: gives back what is free of it and does not grow ahead for a while. */
  askedBack(limitId: string): void {
    const lease = this.#leases.get(limitId);
    if (lease === undefined || lease.granted === undefined) return;
    lease.giveBack();
    lease.aheadAt = this.#clock.monotonic() + 25 * dryMs;
  }

  /** Once a second: drops past windows, gives back what lies idle for `idleMs` and what is free beyond twice the target. */
  tidy(idleMs: number): void {
    const now = this.#clock.monotonic();
    const at = this.#wall();
    for (const [limitId, lease] of this.#leases) {
      const limit = this.#limitsOf(lease.limit.tenantId)?.byId(limitId);
      if (limit === undefined || at >= lease.endMs || at < lease.startMs) this.#retire(limitId, lease);
      else {
        this.#update(lease, limit);
        if (now - lease.touchedAt < idleMs) lease.giveBack(Math.max(0, 2 * lease.target));
        else if (lease.open === 0) this.#retire(limitId, lease);
        else lease.giveBack();
      }
    }
    for (const lease of this.#retired.values()) lease.giveBack();
  }

  /** Leases whose row in the database stands above what is held. */
  toGiveBack(): Lease[] {
    const over = (lease: Lease) => lease.granted !== undefined && lease.written > lease.granted;
    return [...this.#leases.values(), ...this.#retired.values()].filter(over);
  }

  /** Forgets what is over and given back. */
  forget(): void {
    for (const [id, lease] of this.#retired) {
      if (lease.open === 0 && (lease.granted === undefined || lease.written <= lease.granted)) this.#retired.delete(id);
    }
  }

  /** Whether leases may be spent at this moment. */
  valid(now = this.#clock.monotonic(), at = this.#wall()): boolean {
    return now < this.holder.validUntil && at < this.holder.validUntilMs;
  }

  /** Begins a new life: the old leases are lost, calls under way still settle on them. */
  newHolder(id: string): void {
    this.holder = { id, ...never };
    this.#leases.clear();
    this.#retired.clear();
  }

  /** `at`: wall milliseconds, read once for all limits of a call. */
  #partsOf({ subjects, amounts }: Pick<Waiter, 'subjects' | 'amounts'>, at = this.#wall()): Part[] {
    const limits = this.#limitsOf(subjects.tenantId)?.of(subjects) ?? [];
    const parts: Part[] = [];
    for (const limit of limits) {
      if (limit.resource === 'requests') continue;
      const amount = limit.resource === 'concurrency' ? 1 : Number(amounts[limit.resource]);
      parts.push({ lease: this.#leaseOf(limit, at), amount });
    }
    return parts;
  }

  #leaseOf(limit: Limit, at: number): Lease {
    const held = this.#leases.get(limit.id);
    // Not yet begun: the clock was set back, and the window that is running has a lease of its own.
    if (held !== undefined && at < held.endMs && at >= held.startMs && !(held.lifted && held.limit !== limit)) {
      this.#update(held, limit);
      return held;
    }
    if (held !== undefined) this.#retire(limit.id, held);
    const window = windowOf(limit, Temporal.Instant.fromEpochMilliseconds(at), this.#zoneOf(limit.tenantId));
    const made = new Lease(limit, window, this.holder.id, this.#clock.monotonic());
    // One row in the database, one lease here: what is still being given back is taken up again.
    const retired = this.#retired.get(made.id);
    const lease = retired === undefined || retired.lifted ? made : retired;
    this.#retired.delete(made.id);
    this.#update(lease, limit);
    this.#leases.set(limit.id, lease);
    return lease;
  }

  #wall(): number {
    return this.#clock.now().epochMilliseconds;
  }

  #update(lease: Lease, limit: Limit): void {
    if (lease.limit === limit) return;
    const before = lease.limit.amount;
    lease.limit = limit;
    if (limit.amount === before) return;
    lease.unused = undefined;
    lease.retryAt = 0;
    // What others hold is not known here: after a cut nothing is spent that was not granted anew.
    if (limit.amount < before) lease.giveBack();
  }

  #retire(limitId: string, lease: Lease): void {
    this.#leases.delete(limitId);
    lease.giveBack();
    this.#retired.set(lease.id, lease);
  }

  #take(parts: readonly Part[], now: number): Reservation {
    const reservation = hold(parts, now, this.#ended);
    if (parts.some(({ lease }) => lease.ahead)) this.onWant();
    return reservation;
  }

  readonly #ended = (): void => {
    if (this.#serving || this.#waiters.size === 0) return;
    this.#serving = true;
    queueMicrotask(() => {
      this.#serving = false;
      this.serve();
    });
  };

  /** Lets go on the calls that wait and can be served now. */
  serve(): void {
    const now = this.#clock.monotonic();
    for (const waiter of this.#waiters) {
      const parts = this.#partsOf(waiter);
      try {
        if (this.#enough(parts, now)) this.#settleWaiter(waiter, () => waiter.resolve(this.#take(parts, now)));
        else refuseSpent(parts);
      } catch (error) {
        this.#settleWaiter(waiter, () => waiter.reject(error));
      }
    }
  }

  /** What needs nothing of a limit needs no lease either. */
  #enough(parts: readonly Part[], now: number, at = this.#wall()): boolean {
    let leased = false;
    for (const { lease, amount } of parts) {
      if (amount === 0) continue;
      if (lease.free < amount) return false;
      leased = true;
    }
    return !leased || this.valid(now, at);
  }

  #giveUp(waiter: Waiter): void {
    const parts = this.#partsOf(waiter);
    const short = parts.find(({ lease, amount }) => amount > 0 && lease.free < amount) ?? (parts[0] as Part);
    const known = short.lease.unused !== undefined && !this.#failing && this.valid();
    this.#settleWaiter(waiter, () => waiter.reject(known ? blocked(stateOf(short)) : unavailable(short.lease.limit)));
  }

  #settleWaiter(waiter: Waiter, settle: () => void): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
    settle();
  }
}
