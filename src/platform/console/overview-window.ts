import { add, type Decimal, formatDecimal, parseDecimal } from '#kernel/money';

/** What the overview reads of a finished call. `at` is its end, seconds since the epoch. */
export type SeenCall = {
  at: number;
  tenantId: string;
  nodeId: string;
  demo: boolean;
  refused: boolean;
  ms: number;
  price: string | null;
  currency: string | null;
  /** How many requests it stands for: more than one for coalesced refusals. */
  requests: number;
};

/** What some calls came to: how fast, how many were blocked, what they cost. */
export type CallFigures = {
  p50Ms: number | null;
  p95Ms: number | null;
  spend: { amount: string; currency: string }[];
};

/** Figures of the last minute, as `GET /v1/platform/overview` answers. */
export type OverviewFigures = CallFigures & {
  requestsPerSecond: number;
  blockedPerSecond: number;
  byTenant: (CallFigures & { tenantId: string; demo: boolean; requests: number; blocked: number })[];
  byNode: (CallFigures & { nodeId: string; requestsPerSecond: number; blockedPerSecond: number })[];
  series: { t: number[]; ok: number[]; blocked: number[]; p95: (number | null)[] };
};

type Tally = { ok: number; blocked: number; latencies: number[]; spend: Map<string, Decimal> };

/** Tallies of all calls, and of those of each tenant and node. */
type Tallies = { total: Tally; tenants: Map<string, Tally>; nodes: Map<string, Tally> };

type Second = { at: number; real: Tallies; demo: Tallies };

/** The figures of no calls. */
export const noFigures: CallFigures = { p50Ms: null, p95Ms: null, spend: [] };

/** Latency classes: class k ends at 1.2^k milliseconds (error of a quantile ≤ 20 %). */
const classes = 60;
const growth = Math.log(1.2);

/** A sliding window over the calls of the last `seconds`, in whole seconds: constant memory per second, tenant and node. */
export class OverviewWindow {
  readonly #seconds: number;
  #ring: Second[] = [];

  constructor(seconds = 60) {
    this.#seconds = seconds;
  }

  /** Counts a call. Calls older than the window are left out. */
  add(call: SeenCall): void {
    const at = Math.floor(call.at);
    const second = this.#secondOf(at);
    if (second === undefined) return;
    const { total, tenants, nodes } = call.demo ? second.demo : second.real;
    for (const tally of [total, tallyOf(tenants, call.tenantId), tallyOf(nodes, call.nodeId)]) count(tally, call);
  }

  /** The figures of the window that ends at `now` (seconds since the epoch). Without demo tenants these are listed, and counted nowhere else. */
  read(now: number, includeDemo: boolean): OverviewFigures {
    const end = Math.floor(now);
    this.#forget(end);
    const seconds = this.#ring.filter((second) => second.at <= end);
    const parts = includeDemo ? (['real', 'demo'] as const) : (['real'] as const);
    const sums = { real: noTallies(), demo: noTallies() };
    const counted = noTallies();
    const byAt = new Map<number, Tally>();
    for (const second of seconds) {
      for (const part of ['real', 'demo'] as const) merge(sums[part], second[part]);
      for (const part of parts) {
        merge(counted, second[part]);
        addTally(tallyOf(byAt, second.at), second[part].total);
      }
    }
    const t = Array.from({ length: this.#seconds }, (_, i) => end - this.#seconds + 1 + i);
    const rates = ({ ok, blocked }: Tally) => ({
      requestsPerSecond: (ok + blocked) / this.#seconds,
      blockedPerSecond: blocked / this.#seconds,
    });
    return {
      ...rates(counted.total),
      ...figuresOf(counted.total),
      byTenant: (['real', 'demo'] as const)
        .flatMap((part) => [...sums[part].tenants].map((entry) => [...entry, part === 'demo'] as const))
        .map(([tenantId, tally, demo]) => ({
          tenantId,
          demo,
          requests: tally.ok + tally.blocked,
          blocked: tally.blocked,
          ...figuresOf(tally),
        }))
        .sort((a, b) => b.requests - a.requests)
        .slice(0, 50),
      byNode: [...counted.nodes].map(([nodeId, tally]) => ({ nodeId, ...rates(tally), ...figuresOf(tally) })),
      series: {
        t,
        ok: t.map((at) => byAt.get(at)?.ok ?? 0),
        blocked: t.map((at) => byAt.get(at)?.blocked ?? 0),
        p95: t.map((at) => quantile(byAt.get(at)?.latencies ?? [], 0.95)),
      },
    };
  }

  #secondOf(at: number): Second | undefined {
    const found = this.#ring.find((second) => second.at === at);
    if (found !== undefined) return found;
    const newest = this.#ring.reduce((most, second) => Math.max(most, second.at), at);
    if (at <= newest - this.#seconds) return undefined;
    const second: Second = { at, real: noTallies(), demo: noTallies() };
    this.#ring.push(second);
    this.#forget(newest);
    return second;
  }

  /** What is past, or was counted by a clock that has been set back since. */
  #forget(now: number): void {
    this.#ring = this.#ring.filter(({ at }) => at > now - this.#seconds && at < now + this.#seconds);
  }
}

function noTally(): Tally {
  return { ok: 0, blocked: 0, latencies: [], spend: new Map() };
}

function noTallies(): Tallies {
  return { total: noTally(), tenants: new Map(), nodes: new Map() };
}

function tallyOf<K>(tallies: Map<K, Tally>, id: K): Tally {
  const found = tallies.get(id) ?? noTally();
  tallies.set(id, found);
  return found;
}

function count(tally: Tally, { refused, requests, ms, price, currency }: SeenCall): void {
  if (refused) tally.blocked += requests;
  else {
    tally.ok += requests;
    const index = Math.min(classes - 1, Math.max(0, Math.ceil(Math.log(Math.max(ms, 1)) / growth)));
    tally.latencies[index] = (tally.latencies[index] ?? 0) + 1;
  }
  if (price !== null && currency !== null) addTo(tally.spend, currency, parseDecimal(price));
}

function addTally(into: Tally, tally: Tally): void {
  into.ok += tally.ok;
  into.blocked += tally.blocked;
  tally.latencies.forEach((number, index) => {
    into.latencies[index] = (into.latencies[index] ?? 0) + number;
  });
  for (const [currency, amount] of tally.spend) addTo(into.spend, currency, amount);
}

function merge(into: Tallies, from: Tallies): void {
  addTally(into.total, from.total);
  for (const part of ['tenants', 'nodes'] as const)
    for (const [id, tally] of from[part]) addTally(tallyOf(into[part], id), tally);
}

function figuresOf({ latencies, spend }: Tally): CallFigures {
  return { p50Ms: quantile(latencies, 0.5), p95Ms: quantile(latencies, 0.95), spend: amounts(spend) };
}

function addTo(spend: Map<string, Decimal>, currency: string, amount: Decimal): void {
  const before = spend.get(currency);
  spend.set(currency, before === undefined ? amount : add(before, amount));
}

function amounts(spend: Map<string, Decimal>): { amount: string; currency: string }[] {
  return [...spend]
    .map(([currency, amount]) => ({ amount: formatDecimal(amount), currency }))
    .sort((a, b) => (a.currency < b.currency ? -1 : 1));
}

/** The upper end of the class a quantile falls in, milliseconds; null without calls. */
function quantile(latencies: readonly number[], q: number): number | null {
  const total = latencies.reduce((sum, count) => sum + (count ?? 0), 0);
  if (total === 0) return null;
  let seen = 0;
  for (let index = 0; index < classes; index++) {
    seen += latencies[index] ?? 0;
    if (seen >= q * total) return Math.round(1.2 ** index * 10) / 10;
  }
  return null;
}
