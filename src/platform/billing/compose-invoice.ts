import { add, type Decimal, formatAmount, formatDecimal, multiply, parseDecimal, subtract, sum, ZERO } from '#kernel/money';

import { listUnitPrice } from './price.ts';
import { priceFor, type RatedLine, type RatedTier, type RatePlan, rateInvoice } from './rate-usage.ts';
import { joinSums, keyOf, splitUsage, type UsageSum } from './split-usage.ts';

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
    ...ratePeriod(current).map((keyed) => keyed.line),
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
type Keyed = { readonly key: string; readonly line: InvoiceLine };

function ratePeriod({ start, end, segments }: PeriodUsage): Keyed[] {
  return segments.flatMap(({ plan, usage }, index) => {
    const earlier = segments.slice(0, index).flatMap((segment) => segment.usage);
    const before = keyed(rateInvoice({ usage: splitUsage(earlier, plan.prices), plan }).lines);
    const total = keyed(rateInvoice({ usage: splitUsage([...earlier, ...usage], plan.prices), plan }).lines);
    return [...total].flatMap(([key, line]) => {
      const made = usageLine('usage', { start, end }, plan, line, index === 0 ? undefined : before.get(key));
      return made === undefined ? [] : [{ key: `${index} ${key}`, line: made }];
    });
  });
}

function keyed(lines: readonly RatedLine[]): Map<string, RatedLine> {
  return new Map(lines.map((line) => [`${line.priceId} ${keyOf(line.dimensions)}`, line]));
}

/** The part of a rated line that goes beyond `before`; undefined when there is none. */
function usageLine(
  kind: 'usage',
  { start, end }: { start: string; end: string },
  plan: BilledPlan,
  line: RatedLine,
  before: RatedLine | undefined,
): InvoiceLine | undefined {
  const price = plan.prices.find(({ id }) => id === line.priceId)?.price;
  if (price === undefined) throw new RangeError(`The plan has no price ${line.priceId}.`);
  const { id, version, name } = plan;
  const whole: InvoiceLine = {
    kind,
    start,
    end,
    plan: { id, version, name },
    priceId: line.priceId,
    meter: line.meter,
    dimensions: line.dimensions,
    quantity: line.quantity,
    included: line.included,
    billable: line.billable,
    unitPrice: line.unitPrice,
    per: line.per,
    tiers: line.tiers,
    before: null,
    exactAmount: line.exactAmount,
    amount: line.amount,
    listAmount: formatDecimal(multiply(parseDecimal(line.quantity), listUnitPrice(price))),
  };
  return before === undefined ? whole : beyond(whole, before, plan.currency);
}

/** `line` without what an earlier rating of the same line charged. Differences of rounded amounts add up to the rounded whole. */
function beyond(
  line: InvoiceLine,
  before: Pick<InvoiceLine, 'quantity' | 'included' | 'billable' | 'exactAmount' | 'amount'> & { listAmount?: string },
  currency: string,
): InvoiceLine | undefined {
  const less = (a: string, b: string) => formatDecimal(subtract(parseDecimal(a), parseDecimal(b)));
  const quantity = less(line.quantity, before.quantity);
  const amount = subtract(parseDecimal(line.amount), parseDecimal(before.amount));
  if (quantity === '0' && amount === ZERO) return undefined;
  const listed = share(line.listAmount, quantity, line.quantity);
  return {
    ...line,
    quantity,
    included: less(line.included, before.included),
    billable: less(line.billable, before.billable),
    before: { quantity: before.quantity, amount: before.amount },
    exactAmount: less(line.exactAmount, before.exactAmount),
    amount: formatAmount(amount, currency),
    listAmount: before.listAmount === undefined ? listed : less(line.listAmount, before.listAmount),
  };
}
