import { AsyncLocalStorage } from 'node:async_hooks';

import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Connector } from '#kernel/database-connector';
import { newId } from '#kernel/ids';
import type { Logger } from '#kernel/logger';

import { ChannelListener } from './channel-listener.ts';
import type { Lease } from './lease.ts';
import type { LeaseBook } from './lease-book.ts';
import {
  askBack,
  endHolder,
  growLeases,
  leaseChannel,
  pruneLeases,
  renewHolder,
  reportRates,
  shrinkLeases,
} from './lease-store.ts';
import type { RequestRates } from './request-rates.ts';
import type { Want } from './share-remaining.ts';

/** Milliseconds by which a holder stops before the database ends its leases. */
const marginMs = 5_000;
const idleMs = 5_000;
const tickMs = 1_000;
const patienceMs = 3_000;
const stuckMs = 5_000;
const pruneMs = 600_000;
const maxGrown = 200;
const askAgainMs = 60;

/** Brings leases from the database to the book and back: renews, grows, gives back, asks and is asked. */
export class LeaseKeeper {
  readonly #db: Pick<Doors, 'forService' | 'inOneTrip'>;
  readonly #listener: ChannelListener;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #nodeId: string;
  readonly #runMs: number;
  readonly #book: LeaseBook;
  readonly #rates: RequestRates;
  // Work for all calls belongs to nobody's request: begun inside one, it would join that one's open transaction (kernel/database).
  readonly #outside = AsyncLocalStorage.snapshot();
  #nodes = 1;
  #first = true;
  #stopped = false;
  #tail: Promise<unknown> = Promise.resolve();
  #pumping: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> | undefined;
  #turnSince: number | undefined;
  #prunedAt = 0;
  readonly #askedAt = new Map<string, number>();

  constructor(
    deps: {
      db: Pick<Doors, 'forService' | 'inOneTrip'>;
      connector: Connector;
      clock: Clock;
      log: Logger;
      nodeId: string;
      book: LeaseBook;
      rates: RequestRates;
    },
    config: { leaseRunMs: number },
  ) {
    this.#db = deps.db;
    this.#listener = new ChannelListener(deps.connector, leaseChannel, (payload) => this.#asked(payload));
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#nodeId = deps.nodeId;
    this.#book = deps.book;
    this.#rates = deps.rates;
    this.#runMs = config.leaseRunMs;
    this.#book.newHolder(newId());
    this.#book.onWant = () => this.#outside(() => this.#pump());
  }

  /** Becomes a holder, hears who asks for leases, and begins to renew once a second. */
  async start(): Promise<void> {
    await this.tick();
    await this.#listener.start();
    this.#timer = setInterval(() => {
      this.#ticking ??= this.tick().finally(() => {
        this.#ticking = undefined;
      });
    }, tickMs);
  }

  /** Ends the holder: what it did not use is free for others at once. Calls under way must have settled. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped = true;
    this.#wake?.();
    await Promise.all([this.#ticking, this.#pumping, this.#listener.stop()]);
    await this.#inTurn(() => this.#db.forService('lease_keeper', (tx) => endHolder(tx, this.#book.holder.id))).catch(
      () => undefined,
    );
  }

  /** Renews, tidies and reports once; called each second. */
  async tick(): Promise<void> {
    try {
      await this.#patiently(this.#renew());
      this.#leaveStuck();
      this.#book.tidy(idleMs);
      await this.#patiently(this.#giveBack());
      this.#book.forget();
      await this.#patiently(this.#reportRates());
      const now = this.#clock.monotonic();
      if (now - this.#prunedAt > pruneMs) {
        this.#prunedAt = now;
        await this.#db.forService('lease_keeper', (tx) => pruneLeases(tx, this.#clock.now().toString()));
      }
    } catch (error) {
      this.#log.debug({ err: error }, 'leases cannot be renewed at the moment');
    }
  }

  async #renew(): Promise<void> {
    // Counted from before the question: the database counts from after it, so the holder always stops first.
    const asked = { monotonic: this.#clock.monotonic(), wall: this.#clock.now().epochMilliseconds };
    const { holder } = this.#book;
    const question = { holderId: holder.id, nodeId: this.#nodeId, first: this.#first };
    const { alive, nodes } = await this.#db.forService('lease_keeper', (tx) => renewHolder(tx, question, this.#runMs));
    this.#nodes = nodes;
    this.#rates.nodes = nodes;
    this.#first = false;
    if (alive) {
      holder.validUntil = asked.monotonic + this.#runMs - marginMs;
      holder.validUntilMs = asked.wall + this.#runMs - marginMs;
      this.#book.serve();
    } else if (holder === this.#book.holder) {
      this.#log.warn({ holder: holder.id }, 'the leases of this process ran out; it begins anew');
      this.#beginAnew();
      await this.#renew();
    }
  }

  #beginAnew(): void {
    this.#book.newHolder(newId());
    this.#first = true;
  }

  /**
   * A write whose answer never comes, while the database answers others, may still take effect: what it could change is left behind
   * with the old holder and stays blocked until that runs out.
   */
  #leaveStuck(): void {
    if (this.#turnSince === undefined || this.#clock.monotonic() - this.#turnSince < stuckMs) return;
    this.#log.warn('a lease was not answered; this process begins anew');
    this.#tail = Promise.resolve();
    this.#turnSince = undefined;
    this.#beginAnew();
  }

  /** Waits for an answer for 3 s: on a dead connection the next attempt must not wait for its time-out. */
  async #patiently<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const given = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer from the database')), patienceMs);
    });
    return Promise.race([work, given]).finally(() => clearTimeout(timer));
  }

  /** Grows leases as long as calls wait or a lease runs low. */
  #pump(): void {
    this.#wake?.();
    this.#pumping ??= this.#growWanted().finally(() => {
      this.#pumping = undefined;
      if (!this.#stopped && this.#book.wants().size > 0) this.#pump();
    });
  }

  async #growWanted(): Promise<void> {
    // Calls of one turn of the event loop are asked for together.
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#stopped) {
      try {
        if (!this.#book.valid()) await this.#patiently(this.#renew());
        const wants = this.#book.wants();
        if (wants.size === 0) {
          if (!this.#book.waiting) return;
          // Of one length on all nodes they would take leases from each other in turns.
          await this.#pause(5 + Math.random() * 10);
          continue;
        }
        const dry = await this.#patiently(this.#grow(new Map([...wants].slice(0, maxGrown))));
        if (dry.length > 0) await this.#patiently(this.#askBack(dry));
      } catch (error) {
        this.#log.debug({ err: error }, 'leases cannot grow at the moment');
        this.#book.failed();
        await this.#pause(50);
      }
    }
  }

  #grow(wants: ReadonlyMap<Lease, Want>): Promise<Lease[]> {
    return this.#inTurn(async () => {
      const present = new Map([...wants].filter(([lease]) => lease.holderId === this.#book.holder.id));
      const results = await this.#db.forService('lease_keeper', (tx) => growLeases(tx, present, this.#nodes));
      return this.#book.apply(results, present);
    });
  }

  async #giveBack(): Promise<void> {
    await this.#inTurn(async () => {
      const leases = this.#book.toGiveBack().map((lease) => ({ lease, granted: lease.granted as number }));
      if (leases.length === 0) return;
      await this.#db.inOneTrip('lease_keeper', [shrinkLeases(leases)]);
      for (const { lease, granted } of leases) lease.written = granted;
    });
  }

  async #askBack(dry: readonly Lease[]): Promise<void> {
    const now = this.#clock.monotonic();
    for (const [id, at] of this.#askedAt) if (now - at > askAgainMs) this.#askedAt.delete(id);
    const ids = dry.map(({ limit }) => limit.id).filter((id) => !this.#askedAt.has(id));
    if (ids.length === 0) return;
    for (const id of ids) this.#askedAt.set(id, now);
    await this.#db.forService('lease_keeper', (tx) => askBack(tx, ids, this.#book.holder.id));
  }

  async #reportRates(): Promise<void> {
    const reports = this.#rates.report();
    if (reports.length === 0) return;
    try {
      const standings = await this.#db.forService('lease_keeper', (tx) =>
        reportRates(tx, reports, this.#book.holder.id),
      );
      this.#rates.apply(reports, standings);
    } catch (error) {
      this.#rates.putBack(reports);
      throw error;
    }
  }

  #asked(payload: string): void {
    const [limitId = '', holderId] = payload.split(' ');
    if (holderId === this.#book.holder.id) return;
    this.#book.askedBack(limitId);
    this.#giveBack().catch((error: unknown) => this.#log.debug({ err: error }, 'a lease cannot be given back yet'));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  // Amounts are written as they stand, not as differences, so one write must never overtake another.
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(() => {
      this.#turnSince = this.#clock.monotonic();
      return work();
    });
    const tail = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#tail === tail) this.#turnSince = undefined;
      });
    this.#tail = tail;
    return turn;
  }
}
