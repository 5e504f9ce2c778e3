import type { Period } from '#kernel/calendar';
import type { Logger } from '#kernel/logger';
import { Problem } from '#kernel/problem';

import type { PeriodUsage } from './compose-invoice.ts';
import { nextInvoicePeriod } from './invoice-period.ts';
import type { CountedPeriod, InvoiceRow } from './invoice-store.ts';
import type { SubscribedPlan } from './plan-manager.ts';
import type { TenantFacts, UsagePort, UsageTotals } from './ports.ts';
import { problems } from './problems.ts';
import type { PlanRow } from './store.ts';

/** What the next invoice of a tenant is made from, read at one time. */
export type Gathered = {
  readonly period: Period;
  readonly current: PeriodUsage;
  readonly recurringFee: string | null;
  readonly late: readonly { now: PeriodUsage; billed: PeriodUsage }[];
  /** Sums of the current period with the rows' list prices. */
  readonly sums: readonly UsageTotals[];
  /** What the invoice bills, as it is kept with it. */
  readonly counted: CountedPeriod[];
};

/** Closed periods in which late usage is looked for: spools are taken in long before. */
const lookBack = 3;

/** Dimensions kept apart whether or not a price asks for them: they say what an unpriced usage was. */
const shownDimensions = ['model', 'agent'];

/**
 * Reads the usage of a tenant's next invoice: its own period, and closed ones that have more rows than were billed. Late is what the
 * invoices have not counted, not what a clock says came late: a row that was being committed while its month was closed is found.
 * 409 `no-plan`.
 */
export async function gatherUsage(input: {
  tenant: TenantFacts;
  subscribed: readonly SubscribedPlan[];
  last: (InvoiceRow & { counted: CountedPeriod[] }) | undefined;
  usage: UsagePort;
  log: Logger;
}): Promise<Gathered> {
  const { tenant, subscribed, last, usage, log } = input;
  const first = subscribed[0]?.subscription.fromAt;
  if (first === undefined) throw new Problem(problems.noPlan);
  const period = nextInvoicePeriod({ lastEnd: last?.periodEnd ?? null, firstFrom: first }, tenant.timeZone);
  const [start, end] = [period.start.toString(), period.end.toString()];
  const inForce = segmentsOf(subscribed, start, end);
  const plan = planIn(subscribed, inForce.at(-1));
  // An invoice has one currency; manageSubscription lets another one begin only with a month or before any usage.
  const segments = inForce.filter((segment) => planIn(subscribed, segment).currency === plan.currency);
  const own = await countUsage(usage, tenant.id, { start, end, rows: 0, segments }, subscribed);
  const counted = [own.period];
  const late: { now: PeriodUsage; billed: PeriodUsage }[] = [];
  for (const before of last?.counted ?? []) {
    // Fewer rows: they are past their keeping, and nothing is taken back.
    const grown = (await usage.count(tenant.id, before.start, before.end)) > before.rows;
    const foreign = before.segments.some((segment) => planIn(subscribed, segment).currency !== plan.currency);
    if (grown && foreign) log.warn({ tenantId: tenant.id, period: before.start }, 'late usage in a former currency');
    if (!grown || foreign) {
      counted.push(before);
      continue;
    }
    const now = await countUsage(usage, tenant.id, before, subscribed);
    late.push({ now: withPlans(now.period, subscribed), billed: withPlans(before, subscribed) });
    counted.push(now.period);
  }
  return {
    period,
    current: withPlans(own.period, subscribed),
    recurringFee: plan.recurringFee,
    late,
    sums: own.sums,
    counted: counted.slice(0, lookBack + 1),
  };
}

/** A period with the usage that its segments have now. */
async function countUsage(
  usage: UsagePort,
  tenantId: string,
  period: CountedPeriod,
  subscribed: readonly SubscribedPlan[],
): Promise<{ period: CountedPeriod; sums: UsageTotals[] }> {
  const names = new Set(shownDimensions);
  for (const segment of period.segments) {
    for (const { where = {}, groupBy = [] } of planIn(subscribed, segment).prices) {
      for (const name of [...Object.keys(where), ...groupBy]) names.add(name);
    }
  }
  const segments: CountedPeriod['segments'] = [];
  const sums: UsageTotals[] = [];
  for (const segment of period.segments) {
    const totals = await usage.totals(tenantId, segment.from, segment.to, [...names]);
    sums.push(...totals);
    segments.push({
      ...segment,
      usage: totals.map(({ type, dimensions, quantities }) => ({ type, dimensions, quantities })),
    });
  }
  const rows = sums.reduce((all, sum) => all + sum.rows, 0);
  return { period: { ...period, rows, segments }, sums };
}

/** The times of a period in which one plan version was in force; usage before the first subscription is under it. */
function segmentsOf(subscribed: readonly SubscribedPlan[], start: string, end: string): CountedPeriod['segments'] {
  const time = (text: string) => Temporal.Instant.from(text).epochMilliseconds;
  return subscribed.flatMap(({ subscription: { planId, planVersion, fromAt, untilAt } }, index) => {
    const from = index === 0 || time(fromAt) < time(start) ? start : fromAt;
    const to = untilAt === null || time(untilAt) > time(end) ? end : untilAt;
    return time(from) < time(to) ? [{ planId, version: planVersion, from, to, usage: [] }] : [];
  });
}

function planIn(
  subscribed: readonly SubscribedPlan[],
  segment: { planId: string; version: number } | undefined,
): PlanRow {
  const found = subscribed.find(({ plan }) => plan.id === segment?.planId && plan.version === segment.version);
  if (found === undefined) throw new Error(`No subscription to version ${segment?.version} of ${segment?.planId}.`);
  return found.plan;
}

function withPlans({ start, end, segments }: CountedPeriod, subscribed: readonly SubscribedPlan[]): PeriodUsage {
  return { start, end, segments: segments.map((one) => ({ plan: planIn(subscribed, one), usage: one.usage })) };
}
