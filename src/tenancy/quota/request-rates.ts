import type { Clock } from '#kernel/clock';
import type { RateDecision } from '#kernel/front-door';

import type { RateReport, RateStanding } from './lease-store.ts';
import type { Limit } from './limits.ts';
import { tooFast } from './problems.ts';

type Bucket = {
  limit: Limit;
  tokens: number;
  /** This node's part of the limit, 0 to 1. */
  share: number;
  at: number;
  /** Since the last report. */
  demand: number;
  consumed: number;
  reportedAt: number;
  idleReports: number;
};

const forgetAfterReports = 5;

/**
 * Requests per second: a token bucket per limit and node. Once a second each node reports what it was asked for and what it let
 * through; it then holds the part of the common bucket and rate that its demand is of all demand. What nodes let through together
 * before they heard of each other is missing from the common bucket afterwards, so the error does not add up.
 */
export class RequestRates {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  /** How many nodes share, while nothing is known of their demand. */
  nodes = 1;

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Takes one request from all limits or from none. The decision is that of the tightest; undefined when there are none. */
  take(limits: readonly Limit[]): RateDecision | undefined {
    let tightest: Bucket | undefined;
    const now = this.#clock.monotonic();
    const buckets: Bucket[] = [];
    for (const limit of limits) {
      if (limit.resource !== 'requests') continue;
      const bucket = this.#bucketOf(limit, now);
      bucket.demand++;
      buckets.push(bucket);
      if (tightest === undefined || bucket.tokens / rateOf(bucket) < tightest.tokens / rateOf(tightest))
        tightest = bucket;
    }
    if (tightest === undefined) return undefined;
    const allowed = buckets.every(({ tokens, limit: { amount } }) => tokens >= 1 && amount > 0);
    if (allowed) {
      for (const bucket of buckets) {
        bucket.tokens--;
        bucket.consumed++;
      }
    }
    const { limit, tokens } = tightest;
    const decision = {
      allowed,
      limit: limit.amount,
      remaining: Math.max(0, Math.floor(tokens)),
      resetSeconds: allowed ? (capacityOf(tightest) - tokens) / rateOf(tightest) : waitOf(tightest),
    };
    return allowed ? decision : { ...decision, problem: tooFast(limit, decision, this.#clock.now()) };
  }

  /** What happened since the last report, which this ends. */
  report(): RateReport[] {
    const now = this.#clock.monotonic();
    const reports: RateReport[] = [];
    for (const [id, bucket] of this.#buckets) {
      bucket.idleReports = bucket.demand === 0 ? bucket.idleReports + 1 : 0;
      if (bucket.idleReports > forgetAfterReports) {
        this.#buckets.delete(id);
        continue;
      }
      const seconds = Math.max(0.001, (now - bucket.reportedAt) / 1000);
      reports.push({
        tenantId: bucket.limit.tenantId,
        limitId: id,
        rate: bucket.limit.amount,
        burst: burstOf(bucket.limit),
        demand: bucket.demand / seconds,
        consumed: bucket.consumed,
      });
      bucket.demand = 0;
      bucket.consumed = 0;
      bucket.reportedAt = now;
    }
    return reports;
  }

  /** Takes what the database answered to `reports`. */
  apply(reports: readonly RateReport[], standings: readonly RateStanding[]): void {
    const now = this.#clock.monotonic();
    const own = new Map(reports.map((report) => [report.limitId, report.demand]));
    for (const { limitId, level, demand } of standings) {
      const bucket = this.#buckets.get(limitId);
      if (bucket === undefined) continue;
      const mine = own.get(limitId) ?? 0;
      // A node without demand keeps an equal part to begin with; what it takes of it shows in its next report.
      bucket.share = mine + demand === 0 ? 1 / this.nodes : Math.max(mine / (mine + demand), 0.01);
      // What was let through since the report is not in the level yet.
      bucket.tokens = level * bucket.share - bucket.consumed;
      bucket.at = now;
    }
  }

  /** Puts back what a failed report would have told. */
  putBack(reports: readonly RateReport[]): void {
    for (const { limitId, consumed } of reports) {
      const bucket = this.#buckets.get(limitId);
      if (bucket !== undefined) bucket.consumed += consumed;
    }
  }

  #bucketOf(limit: Limit, now: number): Bucket {
    let bucket = this.#buckets.get(limit.id);
    if (bucket === undefined) {
      const share = 1 / this.nodes;
      bucket = {
        limit,
        tokens: Math.max(1, burstOf(limit) * share),
        share,
        at: now,
        demand: 0,
        consumed: 0,
        reportedAt: now,
        idleReports: 0,
      };
      this.#buckets.set(limit.id, bucket);
      return bucket;
    }
    bucket.limit = limit;
    bucket.tokens = Math.min(capacityOf(bucket), bucket.tokens + ((now - bucket.at) / 1000) * rateOf(bucket));
    bucket.at = now;
    return bucket;
  }
}

function burstOf(limit: Limit): number {
  return Math.max(1, limit.burst ?? limit.amount);
}

function capacityOf(bucket: Bucket): number {
  return Math.max(1, burstOf(bucket.limit) * bucket.share);
}

/** Tokens per second; a limit of 0 admits nothing. */
function rateOf(bucket: Bucket): number {
  return Math.max(1e-6, bucket.limit.amount * bucket.share);
}

/** Seconds until a request passes. */
function waitOf(bucket: Bucket): number {
  if (bucket.limit.amount === 0) return 3_600;
  return bucket.tokens >= 1 ? 0 : (1 - bucket.tokens) / rateOf(bucket);
}
