import { add, type Decimal, formatDecimal, multiply, parseDecimal, times, ZERO } from '#kernel/money';

import { listUnitPrice } from './price.ts';
import { priceFor, type RatePlan } from './rate-usage.ts';
import { meterOf, wholeOf } from './split-usage.ts';

/** Quantities by name, whole numbers or decimal strings. Wholes include their parts: `input_tokens` those read from a cache. */
export type Quantities = Readonly<Record<string, number | string>>;

/** List price of one unit of each quantity the plan prices, by name, decimal strings. */
export type UnitPrices = { readonly prices: Readonly<Record<string, string>>; readonly currency: string };

/** An amount of money: decimal string and ISO 4217 code. */
export type ListPrice = { readonly price: string; readonly currency: string };

type Priced = { readonly name: string; readonly unit: Decimal; readonly parts: readonly string[] };

/** Combinations of dimensions remembered per plan; beyond it all are worked out anew. */
const mostRemembered = 10_000;

/**
 * What a plan's units cost before included amounts and tiers (the first tier's rate): fixed on a row when it is made, counted by limits.
 * Works a combination of type and dimensions out once and remembers it: a call costs a lookup and some products.
 */
export class ListPrices {
  readonly #plan: RatePlan;
  readonly #names: readonly string[];
  readonly #remembered = new Map<string, readonly Priced[]>();

  constructor(plan: RatePlan) {
    this.#plan = plan;
    this.#names = [...new Set(plan.prices.flatMap(({ where }) => Object.keys(where ?? {})))];
  }

  /** Unit prices of a usage type with these dimensions; undefined when the plan prices nothing of it. */
  unitPrices(type: string, dimensions: Readonly<Record<string, string>>): UnitPrices | undefined {
    const priced = this.#pricedFor(type, dimensions);
    if (priced.length === 0) return undefined;
    const prices = Object.fromEntries(priced.map(({ name, unit }) => [name, formatDecimal(unit)]));
    return { prices, currency: this.#plan.currency };
  }

  /** Price of quantities; null when the plan prices nothing of this type with these dimensions. Each unit is charged once. */
  priceOf(type: string, dimensions: Readonly<Record<string, string>>, quantities: Quantities): ListPrice | null {
    const priced = this.#pricedFor(type, dimensions);
    if (priced.length === 0) return null;
    let total = ZERO;
    for (const { name, unit, parts } of priced) {
      const quantity = quantities[name];
      if (quantity === undefined) continue;
      if (typeof quantity === 'number' && Number.isSafeInteger(quantity)) {
        let rest = quantity;
        for (const part of parts) rest -= Number(quantities[part] ?? 0);
        if (rest > 0) total = add(total, times(unit, rest));
      } else {
        let rest = parseDecimal(String(quantity));
        for (const part of parts) rest = (rest - parseDecimal(String(quantities[part] ?? 0))) as Decimal;
        if (rest > ZERO) total = add(total, multiply(unit, rest));
      }
    }
    return { price: formatDecimal(total), currency: this.#plan.currency };
  }

  #pricedFor(type: string, dimensions: Readonly<Record<string, string>>): readonly Priced[] {
    let key = type;
    for (const name of this.#names) key += `\n${dimensions[name] ?? ''}`;
    let priced = this.#remembered.get(key);
    if (priced === undefined) {
      priced = this.#workOut(type, dimensions);
      if (this.#remembered.size >= mostRemembered) this.#remembered.clear();
      this.#remembered.set(key, priced);
    }
    return priced;
  }

  #workOut(type: string, dimensions: Readonly<Record<string, string>>): Priced[] {
    const { prices } = this.#plan;
    const names = new Set(
      prices.filter(({ meter }) => meter.startsWith(`${type}.`)).map(({ meter }) => meter.slice(type.length + 1)),
    );
    const found = [...names].flatMap((name) => {
      const price = priceFor(prices, meterOf(type, name), dimensions);
      return price === undefined ? [] : [{ name, unit: listUnitPrice(price.price) }];
    });
    return found.map((one) => ({
      ...one,
      parts: found.map(({ name }) => name).filter((name) => wholeOf[name] === one.name),
    }));
  }
}
