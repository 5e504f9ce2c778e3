import {
  formatAmount,
  formatDecimal,
  fromMinor,
  multiply,
  parseDecimal,
  subtract,
  sum,
  toMinor,
  ZERO,
} from '#kernel/money';

import { listUnitPrice } from './price.ts';
import { type PlanPrice, priceFor, type RatedTier, type RatePlan, rateInvoice } from './rate-usage.ts';
import { joinSums, keyOf, meterOf, splitUsage, type UsageSum } from './split-usage.ts';

/** A version of a plan as rating needs it. */
export type BilledPlan = RatePlan & { readonly id: string; readonly version: number; readonly name: string };

/** Usage of a time in which one version of a plan was in force. */
export type Segment = { readonly plan: BilledPlan; readonly usage: readonly UsageSum[] };

/** A period of an invoice (ISO 8601 UTC, the end not included) and its usage, in order of time. */
export type PeriodUsage = { readonly start: string; readonly end: string; readonly segments: readonly Segment[] };

/**
 * A line of an invoice. `usage`: of the invoice's period; `late`: of an earlier period, found after its invoice; `recurring`: the plan's
 * monthly fee. Decimal strings; `amount` is rounded to the currency, `exactAmount` is not.
 */
export type InvoiceLine = {
  readonly kind: 'usage' | 'late' | 'recurring';
  readonly start: string;
  readonly end: string;
  readonly plan: { readonly id: string; readonly version: number; readonly name: string };
  readonly priceId: string | null;
  readonly meter: string | null;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly quantity: string;
  readonly included: string;
  readonly billable: string;
  /** Null when several rates or a flat fee took part: the tiers say which. */
  readonly unitPrice: string | null;
  readonly per: string | null;
  /** How the whole quantity, with what was rated before, falls into tiers. */
  readonly tiers: readonly RatedTier[];
  /** What of the same period was rated before under the same price: this line is the difference. */
  readonly before: { readonly quantity: string; readonly amount: string } | null;
  readonly exactAmount: string;
  readonly amount: string;
  /** Quantity × list unit price. */
  readonly listAmount: string;
};

/** What an invoice says: pure of usage and plans. */
export type Composed = {
  readonly currency: string;
  readonly lines: readonly InvoiceLine[];
  readonly total: string;
  /** Usage of the period that its plan prices nothing of. */
  readonly unpriced: readonly UsageSum[];
};

/**
 * The invoice of a period. Units count up over the period: under a second version of a plan they go on in the tiers where they are, so an
 * included amount is given once; each unit is rated by the plan of its time. `late` are earlier periods with all usage known now (`now`)
 * and with the usage billed so far (`billed`): the lines are the difference, so that all invoices together charge what one made at the
 * end would have, to the last minor unit. All plans must have one currency. The recurring fee is that of the last plan, whole.
 */
export function composeInvoice(input: {
  current: PeriodUsage;
  recurringFee: string | null;
  late: readonly { now: PeriodUsage; billed: PeriodUsage }[];
}): Composed {
  const { current, recurringFee, late } = input;
  const last = current.segments.at(-1);
  if (last === undefined) throw new RangeError('An invoice needs a plan.');
  const { currency } = last.plan;
  const lines = [
    ...(recurringFee === null ? [] : [feeLine(current, last.plan, recurringFee)]),
    ...ratePeriod(current).values(),
    ...late.flatMap(lateLines),
  ];
  return {
    currency,
    lines,
    total: formatAmount(sum(lines.map(({ amount }) => parseDecimal(amount))), currency),
    unpriced: current.segments.flatMap(unpricedOf),
  };
}

/** A line, and what makes it the same line when more usage is known. */
type Keyed = ReadonlyMap<string, InvoiceLine>;

function ratePeriod(period: PeriodUsage): Keyed {
  const lines = new Map<string, InvoiceLine>();
  for (const [index, { plan, usage }] of period.segments.entries()) {
    const earlier = period.segments.slice(0, index).flatMap((segment) => segment.usage);
    const before = index === 0 ? new Map() : rateSegment(period, plan, earlier);
    for (const [key, line] of rateSegment(period, plan, [...earlier, ...usage])) {
      const more = beyond(line, before.get(key), plan.currency);
      if (more !== undefined) lines.set(`${index} ${key}`, more);
    }
  }
  return lines;
}

function lateLines({ now, billed }: { now: PeriodUsage; billed: PeriodUsage }): InvoiceLine[] {
  const before = ratePeriod(billed);
  return [...ratePeriod(now)].flatMap(([key, line]) => {
    const earlier = before.get(key);
    const plan = now.segments.find((segment) => segment.plan.id === line.plan.id)?.plan as BilledPlan;
    const more = beyond(line, earlier, plan.currency);
    return more === undefined ? [] : [{ ...more, kind: 'late' as const }];
  });
}

function rateSegment({ start, end }: PeriodUsage, plan: BilledPlan, usage: readonly UsageSum[]): Keyed {
  const { id, version, name } = plan;
  const { lines } = rateInvoice({ usage: splitUsage(usage, plan.prices), plan });
  return new Map(
    lines.map((line) => {
      const price = plan.prices.find((each) => each.id === line.priceId) as PlanPrice;
      const listAmount = multiply(parseDecimal(line.quantity), listUnitPrice(price.price));
      return [
        `${line.priceId} ${keyOf(line.dimensions)}`,
        {
          kind: 'usage',
          start,
          end,
          plan: { id, version, name },
          ...line,
          before: null,
          listAmount: formatDecimal(listAmount),
        },
      ];
    }),
  );
}

/** `line` without what was rated before of it; undefined when that is all. Differences of rounded amounts add up to the rounded whole. */
function beyond(line: InvoiceLine, before: InvoiceLine | undefined, currency: string): InvoiceLine | undefined {
  if (before === undefined) return line;
  const less = (name: 'quantity' | 'included' | 'billable' | 'exactAmount' | 'amount' | 'listAmount') =>
    subtract(parseDecimal(line[name]), parseDecimal(before[name]));
  const [quantity, amount] = [less('quantity'), less('amount')];
  if (quantity === ZERO && amount === ZERO) return undefined;
  return {
    ...line,
    quantity: formatDecimal(quantity),
    included: formatDecimal(less('included')),
    billable: formatDecimal(less('billable')),
    exactAmount: formatDecimal(less('exactAmount')),
    amount: formatAmount(amount, currency),
    listAmount: formatDecimal(less('listAmount')),
    before: { quantity: before.quantity, amount: before.amount },
  };
}

function feeLine({ start, end }: PeriodUsage, { id, version, name, currency }: BilledPlan, fee: string): InvoiceLine {
  const amount = formatAmount(fromMinor(toMinor(parseDecimal(fee), currency, 'halfExpand'), currency), currency);
  return {
    kind: 'recurring',
    start,
    end,
    plan: { id, version, name },
    priceId: null,
    meter: null,
    dimensions: {},
    quantity: '1',
    included: '0',
    billable: '1',
    unitPrice: fee,
    per: '1',
    tiers: [],
    before: null,
    exactAmount: fee,
    amount,
    listAmount: fee,
  };
}

/** Usage of which the plan prices nothing: a quantity beside priced ones (requests beside tokens) is not missing. */
function unpricedOf({ plan, usage }: Segment): UsageSum[] {
  return joinSums(usage).filter(({ type, dimensions, quantities }) =>
    Object.keys(quantities).every((name) => priceFor(plan.prices, meterOf(type, name), dimensions) === undefined),
  );
}
