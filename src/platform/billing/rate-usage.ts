import {
  type Decimal,
  formatAmount,
  formatDecimal,
  fromInteger,
  fromMinor,
  min,
  parseDecimal,
  roundDivide,
  sum,
  ZERO,
} from '#kernel/money';
import { type Price, readPrice } from './price.ts';

/** A tier's part of an amount: count × unit + flat. */
export interface RatedTier {
  /** The tier covers billable units above `from`, up to and with `upTo` (null: no bound). */
  readonly from: string;
  readonly upTo: string | null;
  /** Billable units charged in this tier. */
  readonly quantity: string;
  readonly unit: string;
  readonly per: string;
  /** How often `unit` was charged: quantity ÷ per, rounded up for whole packages, else shown to 12 places. */
  readonly count: string;
  readonly flat: string;
  readonly amount: string;
}

/** An amount and how it came about. Amounts are to 12 places (half-even), not yet rounded to a currency. */
export interface RatedUsage {
  readonly quantity: string;
  /** Units that the included amount covered. */
  readonly included: string;
  /** Units left to charge. */
  readonly billable: string;
  readonly amount: string;
  readonly tiers: readonly RatedTier[];
}

/** Units used: the sum over a period for one meter and one combination of dimensions. */
export interface UsageTotal {
  readonly meter: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly quantity: string;
}

/** A price of a plan, and the usage it is for. */
export interface PlanPrice {
  readonly id: string;
  readonly meter: string;
  /** Only usage with these dimension values; any of them when a list. */
  readonly where?: Readonly<Record<string, string | readonly string[]>>;
  /** One line for each combination of these dimensions, each with its own included amount and tiers. Default: one line in all. */
  readonly groupBy?: readonly string[];
  readonly price: Price;
}

/** What usage costs: the part of a plan that rating needs. `currency` is an ISO 4217 code. */
export interface RatePlan {
  readonly currency: string;
  readonly prices: readonly PlanPrice[];
}

/** A line of an invoice. */
export interface RatedLine extends RatedUsage {
  readonly priceId: string;
  readonly meter: string;
  /** The combination of the price's `groupBy` dimensions; `''` for a usage without that dimension. */
  readonly dimensions: Readonly<Record<string, string>>;
  /** Price for each `per` units when all billable units had the same; null when several tiers or a flat fee took part. */
  readonly unitPrice: string | null;
  readonly per: string | null;
  /** Exact amount rounded once, half away from zero, to the currency's minor unit. */
  readonly amount: string;
  /** The amount before that rounding, to 12 places. */
  readonly exactAmount: string;
}

/** All usage lines of an invoice, their sum, and the usage that no price of the plan is for. */
export interface RatedInvoice {
  readonly currency: string;
  readonly lines: readonly RatedLine[];
  readonly total: string;
  readonly unpriced: readonly UsageTotal[];
}

/**
 * Amount of a quantity at a price: a pure function, so that estimate, preview and invoice cannot differ. For usage billed in parts, rate
 * the total and subtract the rating of the part billed before. Throws RangeError for a negative quantity or a price that {@link checkPrice} refuses.
 */
export function rateUsage(quantity: string, price: Price): RatedUsage {
  return rate(parseDecimal(quantity), price).rated;
}

/**
 * The usage lines of an invoice: a pure function of usage totals and plan. Each usage total goes to one price ({@link priceFor}); each line
 * is rounded once, from its exact value, and the total is the sum of the rounded lines, so an invoice adds up as printed. Prices without
 * usage make a line only when they cost something at zero. Lines come in the plan's order, then by dimension values.
 */
export function rateInvoice(input: { usage: readonly UsageTotal[]; plan: RatePlan }): RatedInvoice {
  const { plan } = input;
  const groups = new Map<PlanPrice, Map<string, Group>>();
  for (const price of plan.prices) {
    groups.set(price, new Map(price.groupBy?.length ? [] : [['', { dimensions: {}, quantities: [] }]]));
  }
  const unpriced: UsageTotal[] = [];
  for (const total of input.usage) {
    const price = priceFor(plan.prices, total.meter, total.dimensions);
    if (price) addTo(groups.get(price) as Map<string, Group>, price, total);
    else unpriced.push(total);
  }
  const lines: RatedLine[] = [];
  for (const [price, byKey] of groups) {
    for (const [, group] of [...byKey].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const line = rateLine(price, group, plan.currency);
      if (group.quantities.length > 0 || parseDecimal(line.amount) !== ZERO) lines.push(line);
    }
  }
  const total = formatAmount(sum(lines.map((line) => parseDecimal(line.amount))), plan.currency);
  return { currency: plan.currency, lines, total, unpriced };
}

/** The price that a usage falls under: of those whose meter and `where` match, the one with the most conditions, then the first. */
export function priceFor(
  prices: readonly PlanPrice[],
  meter: string,
  dimensions: Readonly<Record<string, string>>,
): PlanPrice | undefined {
  let best: PlanPrice | undefined;
  let conditions = -1;
  for (const price of prices) {
    const where = Object.entries(price.where ?? {});
    if (price.meter !== meter || where.length <= conditions) continue;
    if (!where.every(([name, wanted]) => [wanted].flat().includes(dimensions[name] ?? ''))) continue;
    best = price;
    conditions = where.length;
  }
  return best;
}

interface Group {
  dimensions: Record<string, string>;
  quantities: Decimal[];
}

/** An exact amount: n ÷ d is the value × 10¹². Kept as a fraction, since a third of a package has no last decimal. */
interface Fraction {
  n: bigint;
  d: bigint;
}

function addTo(byKey: Map<string, Group>, price: PlanPrice, total: UsageTotal): void {
  const dimensions = Object.fromEntries((price.groupBy ?? []).map((name) => [name, total.dimensions[name] ?? '']));
  const key = price.groupBy?.length ? JSON.stringify(Object.values(dimensions)) : '';
  const group = byKey.get(key) ?? { dimensions, quantities: [] };
  group.quantities.push(parseDecimal(total.quantity));
  byKey.set(key, group);
}

function rateLine(planPrice: PlanPrice, group: Group, currency: string): RatedLine {
  const { rated, exact, first } = rate(sum(group.quantities), planPrice.price);
  // From the exact fraction, not from its 12 places: rounding twice can cross a tie. fromMinor(1) is 10¹² ÷ the minor units of 1.
  const minor = roundDivide(exact.n, exact.d * (fromMinor(1n, currency) as bigint), 'halfExpand');
  const [only = first, more] = rated.tiers;
  const uniform = more === undefined && only.flat === '0';
  return {
    ...rated,
    priceId: planPrice.id,
    meter: planPrice.meter,
    dimensions: group.dimensions,
    unitPrice: uniform ? only.unit : null,
    per: uniform ? only.per : null,
    amount: formatAmount(fromMinor(minor, currency), currency),
    exactAmount: rated.amount,
  };
}

/** `first` is the first tier's rate: the unit price of a line whose units were all included. */
function rate(
  quantity: Decimal,
  price: Price,
): { rated: RatedUsage; exact: Fraction; first: Pick<RatedTier, 'unit' | 'per' | 'flat'> } {
  if (quantity < ZERO) throw new RangeError(`Usage cannot be negative: ${formatDecimal(quantity)}.`);
  const { tiers, whole, flatAtZero, ...free } = readPrice(price);
  const included = min(quantity, free.included);
  const billable = (quantity - included) as Decimal;
  const [first] = tiers;
  let exact: Fraction = { n: 0n, d: 1n };
  const rated: RatedTier[] = [];
  for (const [i, tier] of tiers.entries()) {
    const below = tier.upTo === null ? billable : min(billable, tier.upTo);
    const inTier = whole ? tier.from < billable && below === billable : below > tier.from;
    if (!inTier && !(i === 0 && billable === ZERO && flatAtZero)) continue;
    const units = whole ? billable : ((below - tier.from) as Decimal);
    const count: Fraction = tier.roundUp
      ? { n: roundDivide(units, tier.per, 'ceil'), d: 1n }
      : { n: units, d: tier.per };
    const amount: Fraction = { n: count.n * tier.unit + tier.flat * count.d, d: count.d };
    exact = plus(exact, amount);
    rated.push({
      from: formatDecimal(tier.from),
      upTo: tier.upTo === null ? null : formatDecimal(tier.upTo),
      quantity: formatDecimal(units),
      unit: formatDecimal(tier.unit),
      per: formatDecimal(tier.per),
      count: formatDecimal(roundDivide(count.n * fromInteger(1), count.d, 'halfEven') as Decimal),
      flat: formatDecimal(tier.flat),
      amount: shown(amount),
    });
  }
  return {
    rated: {
      quantity: formatDecimal(quantity),
      included: formatDecimal(included),
      billable: formatDecimal(billable),
      amount: shown(exact),
      tiers: rated,
    },
    exact,
    first: { unit: formatDecimal(first.unit), per: formatDecimal(first.per), flat: formatDecimal(first.flat) },
  };
}

function plus(a: Fraction, b: Fraction): Fraction {
  return a.d === b.d ? { n: a.n + b.n, d: a.d } : { n: a.n * b.d + b.n * a.d, d: a.d * b.d };
}

function shown({ n, d }: Fraction): string {
  return formatDecimal(roundDivide(n, d, 'halfEven') as Decimal);
}
