import { type Decimal, formatDecimal, fromInteger, parseDecimal, roundDivide, ZERO } from '#kernel/money';
import type { ProblemPlace } from '#kernel/problem';

/** What a unit costs: `unit` for each `per` units (default 1; `1000`, `1000000` for tokens). All amounts are decimal strings. */
export interface Rate {
  readonly unit: string;
  readonly per?: string;
  /** Charges a begun `per` whole: 121 units at 10 per package are 13 packages. Default: the exact share. */
  readonly roundUp?: boolean;
}

/** A price step. `upTo` is inclusive (a fraction above it belongs to the next tier); null, for the last tier only, is no bound. */
export interface Tier extends Rate {
  readonly upTo: string | null;
  /** Charged once when the tier is used. */
  readonly flat?: string;
}

/**
 * How a quantity becomes an amount.
 * - `per_unit`: quantity × unit.
 * - `package`: per so many units, whole packages or the exact share.
 * - `graduated`: each part of the quantity at the rate of the tier it falls in, plus the flat fee of each tier used.
 * - `volume`: the whole quantity at the rate and flat fee of the tier that its total falls in (a total may fall at a bound).
 *
 * `included` units are free and are taken off before tiers and packages are looked at. `flatAtZero` charges the first tier's flat fee
 * although nothing billable was used (Lago does; OpenMeter for volume only): without it no use costs nothing.
 */
export type Price = { readonly included?: string } & (
  | { readonly model: 'per_unit'; readonly unit: string }
  | { readonly model: 'package'; readonly unit: string; readonly per: string; readonly roundUp: boolean }
  | { readonly model: 'graduated' | 'volume'; readonly tiers: readonly Tier[]; readonly flatAtZero?: boolean }
);

/** A tier in decimals; it covers units above `from`. */
export interface ReadTier {
  from: Decimal;
  upTo: Decimal | null;
  unit: Decimal;
  per: Decimal;
  roundUp: boolean;
  flat: Decimal;
}

/** A price in decimals; `whole`: the whole quantity is charged in the tier that its total falls in (volume). */
export interface ReadPrice {
  tiers: [ReadTier, ...ReadTier[]];
  whole: boolean;
  flatAtZero: boolean;
  included: Decimal;
}

/**
 * List price of one unit, to 12 places: the first tier's rate, before included amounts and volume. What a call shows and limits count
 * while the invoice's tiers are not yet known. Throws RangeError for a price that {@link checkPrice} refuses.
 */
export function listUnitPrice(price: Price): Decimal {
  const [first] = readPrice(price).tiers;
  return roundDivide(first.unit * fromInteger(1), first.per, 'halfEven') as Decimal;
}

/** What is wrong with a price, each with the place below the price as a JSON pointer; empty when it can be rated. */
export function checkPrice(price: Price): ProblemPlace[] {
  const places: ProblemPlace[] = [];
  const amounts: [pointer: string, text: string | undefined, positive?: true][] = [
    ['/included', price.included ?? '0'],
  ];
  if ('tiers' in price) {
    price.tiers.forEach((tier, i) => {
      amounts.push([`/tiers/${i}/unit`, tier.unit], [`/tiers/${i}/flat`, tier.flat ?? '0']);
      amounts.push([`/tiers/${i}/per`, tier.per ?? '1', true]);
    });
    places.push(...checkBounds(price.tiers));
  } else {
    amounts.push(['/unit', price.unit]);
    if (price.model === 'package') amounts.push(['/per', price.per, true]);
  }
  for (const [pointer, text, positive] of amounts) {
    const value = decimalAt(pointer, text, places);
    if (value !== undefined && (value < ZERO || (positive && value === ZERO))) {
      places.push({ pointer, detail: positive ? 'Must be above 0.' : 'Must be at least 0.' });
    }
  }
  return places;
}

/**
 * A price read into decimals, every model as tiers: a unit price and a package are one tier without bound.
 * Throws RangeError for a price that {@link checkPrice} refuses.
 */
export function readPrice(price: Price): ReadPrice {
  const wrong = checkPrice(price)[0];
  if (wrong) throw new RangeError(`The price cannot be rated: ${wrong.pointer}: ${wrong.detail}`);
  const tiers: readonly Tier[] = 'tiers' in price ? price.tiers : [{ ...price, upTo: null }];
  let from = ZERO;
  const steps = tiers.map((tier) => {
    const upTo = tier.upTo === null ? null : parseDecimal(tier.upTo);
    const step: ReadTier = {
      from,
      upTo,
      unit: parseDecimal(tier.unit),
      per: parseDecimal(tier.per ?? '1'),
      roundUp: tier.roundUp ?? false,
      flat: parseDecimal(tier.flat ?? '0'),
    };
    from = upTo ?? from;
    return step;
  });
  return {
    tiers: steps as ReadPrice['tiers'],
    whole: price.model === 'volume',
    flatAtZero: 'tiers' in price && price.flatAtZero === true,
    included: parseDecimal(price.included ?? '0'),
  };
}

function checkBounds(tiers: readonly Tier[]): ProblemPlace[] {
  if (tiers.length === 0) return [{ pointer: '/tiers', detail: 'At least one tier is needed.' }];
  const places: ProblemPlace[] = [];
  let bound = ZERO;
  for (const [i, { upTo }] of tiers.entries()) {
    const pointer = `/tiers/${i}/upTo`;
    if ((i === tiers.length - 1) !== (upTo === null)) {
      places.push({ pointer, detail: 'The last tier, and only it, has no bound (null).' });
    } else if (upTo !== null) {
      const next = decimalAt(pointer, upTo, places);
      if (next === undefined) continue;
      if (next <= bound) places.push({ pointer, detail: `Must be above ${formatDecimal(bound)}.` });
      bound = next;
    }
  }
  return places;
}

function decimalAt(pointer: string, text: string | undefined, places: ProblemPlace[]): Decimal | undefined {
  try {
    return parseDecimal(text as string);
  } catch (error) {
    places.push({ pointer, detail: (error as Error).message });
    return undefined;
  }
}
