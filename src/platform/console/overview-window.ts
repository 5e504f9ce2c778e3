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

/** Figures of the last minute, as `GET /v1/platform/overview` answers. */
export type OverviewFigures = {
  requestsPerSecond: number;
  blockedPerSecond: number;
  p50Ms: number | null;
  p95Ms: number | null;
  spend: { amount: string; currency: string }[];
  byTenant: {
    tenantId: string;
    demo: boolean;
    requests: number;
    blocked: number;
    spend: { amount: string; currency: string }[];
  }[];
  byNode: { nodeId: string; requestsPerSecond: number }[];
  series: { t: number[]; ok: number[]; blocked: number[]; p95: (number | null)[] };
};

type Tally = { requests: number; blocked: number; demo: boolean; spend: Map<string, Decimal> };

/** What is summed over tenants, for real and demo ones apart. */
type Counts = { ok: number; blocked: number; latencies: number[]; nodes: Map<string, number> };

type Second = { at: number; real: Counts; demo: Counts; tenants: Map<string, Tally> };

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
    const counts = call.demo ? second.demo : second.real;
    if (call.refused) counts.blocked += call.requests;
    else {
      counts.ok += call.requests;
      const index = Math.min(classes - 1, Math.max(0, Math.ceil(Math.log(Math.max(call.ms, 1)) / growth)));
      counts.latencies[index] = (counts.latencies[index] ?? 0) + 1;
    }
    counts.nodes.set(call.nodeId, (counts.nodes.get(call.nodeId) ?? 0) + call.requests);
    let tally = second.tenants.get(call.tenantId);
    if (tally === undefined) {
      tally = { requests: 0, blocked: 0, demo: call.demo, spend: new Map() };
      second.tenants.set(call.tenantId, tally);
    }
    tally.requests += call.requests;
    if (call.refused) tally.blocked += call.requests;
    if (call.price !== null && call.currency !== null) addTo(tally.spend, call.currency, parseDecimal(call.price));
  }

  /** The figures of the window that ends at `now` (seconds since the epoch). Without demo tenants these are listed, and counted nowhere else. */
  read(now: number, includeDemo: boolean): OverviewFigures {
    const end = Math.floor(now);
    this.#forget(end);
    const seconds = this.#ring.filter((second) => second.at <= end);
    const byAt = new Map<number, Counts>();
    const tenants = new Map<string, Tally>();
    const total = noCounts();
    const spend = new Map<string, Decimal>();
    for (const second of seconds) {
      const counts = noCounts();
      for (const part of includeDemo ? [second.real, second.demo] : [second.real]) addCounts(counts, part);
      byAt.set(second.at, counts);
      addCounts(total, counts);
      for (const [id, tally] of second.tenants) {
        merge(tenants, id, tally);
        if (tally.demo && !includeDemo) continue;
        for (const [currency, amount] of tally.spend) addTo(spend, currency, amount);
      }
    }
    const t = Array.from({ length: this.#seconds }, (_, i) => end - this.#seconds + 1 + i);
    return {
      requestsPerSecond: (total.ok + total.blocked) / this.#seconds,
      blockedPerSecond: total.blocked / this.#seconds,
      p50Ms: quantile(total.latencies, 0.5),
      p95Ms: quantile(total.latencies, 0.95),
      spend: amounts(spend),
      byTenant: [...tenants]
        .map(([tenantId, tally]) => ({
          tenantId,
          demo: tally.demo,
          requests: tally.requests,
          blocked: tally.blocked,
          spend: amounts(tally.spend),
        }))
        .sort((a, b) => b.requests - a.requests)
        .slice(0, 50),
      byNode: [...total.nodes].map(([nodeId, count]) => ({ nodeId, requestsPerSecond: count / this.#seconds })),
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
    const second: Second = { at, real: noCounts(), demo: noCounts(), tenants: new Map() };
    this.#ring.push(second);
    this.#forget(newest);
    return second;
  }

  /** What is past, or was counted by a clock that has been set back since. */
  #forget(now: number): void {
    this.#ring = this.#ring.filter(({ at }) => at > now - this.#seconds && at < now + this.#seconds);
  }
}

function noCounts(): Counts {
  return { ok: 0, blocked: 0, latencies: [], nodes: new Map() };
}

function addCounts(into: Counts, counts: Counts): void {
  into.ok += counts.ok;
  into.blocked += counts.blocked;
  counts.latencies.forEach((count, index) => {
    into.latencies[index] = (into.latencies[index] ?? 0) + count;
  });
  for (const [id, count] of counts.nodes) into.nodes.set(id, (into.nodes.get(id) ?? 0) + count);
}

function merge(into: Map<string, Tally>, id: string, tally: Tally): void {
  const sum = into.get(id) ?? { requests: 0, blocked: 0, demo: tally.demo, spend: new Map<string, Decimal>() };
  sum.requests += tally.requests;
  sum.blocked += tally.blocked;
  for (const [currency, amount] of tally.spend) addTo(sum.spend, currency, amount);
  into.set(id, sum);
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
