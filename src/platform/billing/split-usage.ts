import { add, type Decimal, formatDecimal, max, parseDecimal, subtract, ZERO } from '#kernel/money';

import { type PlanPrice, priceFor, type UsageTotal } from './rate-usage.ts';

/** Usage summed over a time for one type and one combination of dimensions. Quantities are decimal strings by name. */
export type UsageSum = {
  readonly type: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly quantities: Readonly<Record<string, string>>;
};

/** Quantities that are a part of another one: charged apart where the plan prices them, else inside their whole. */
export const wholeOf: Readonly<Record<string, string>> = {
  cached_input_tokens: 'input_tokens',
  cache_write_input_tokens: 'input_tokens',
  reasoning_tokens: 'output_tokens',
};

/** Name of the meter that counts a quantity of a usage type: `model.call.input_tokens`. */
export function meterOf(type: string, quantity: string): string {
  return `${type}.${quantity}`;
}

/**
 * Usage as the meters of a plan count it, each unit under one meter: tokens read from a cache leave the input tokens where the plan prices
 * them, likewise reasoning and output. Sums by meter and dimensions, so that the same usage in another split gives the same totals.
 */
export function splitUsage(sums: readonly UsageSum[], prices: readonly PlanPrice[]): UsageTotal[] {
  const totals = new Map<string, { meter: string; dimensions: UsageSum['dimensions']; quantity: Decimal }>();
  for (const { type, dimensions, quantities } of joinSums(sums)) {
    const split = new Map(Object.entries(quantities).map(([name, text]) => [name, parseDecimal(text)]));
    for (const [part, whole] of Object.entries(wholeOf)) {
      const used = split.get(part);
      if (used === undefined || !split.has(whole)) continue;
      // A part that the plan does not price stays in its whole and must not be counted beside it.
      if (priceFor(prices, meterOf(type, part), dimensions) === undefined) split.delete(part);
      else split.set(whole, max(ZERO, subtract(split.get(whole) as Decimal, used)));
    }
    for (const [name, quantity] of split) {
      const meter = meterOf(type, name);
      totals.set(`${meter}\n${keyOf(dimensions)}`, { meter, dimensions, quantity });
    }
  }
  return [...totals.values()].map((total) => ({ ...total, quantity: formatDecimal(total.quantity) }));
}

/** Sums with the same type and dimensions joined. */
export function joinSums(sums: readonly UsageSum[]): UsageSum[] {
  const joined = new Map<
    string,
    { type: string; dimensions: UsageSum['dimensions']; quantities: Map<string, Decimal> }
  >();
  for (const { type, dimensions, quantities } of sums) {
    const key = `${type}\n${keyOf(dimensions)}`;
    const sum = joined.get(key) ?? { type, dimensions, quantities: new Map<string, Decimal>() };
    for (const [name, text] of Object.entries(quantities)) {
      sum.quantities.set(name, add(sum.quantities.get(name) ?? ZERO, parseDecimal(text)));
    }
    joined.set(key, sum);
  }
  return [...joined.values()].map(({ quantities, ...sum }) => ({
    ...sum,
    quantities: Object.fromEntries([...quantities].map(([name, value]) => [name, formatDecimal(value)])),
  }));
}

/** One text for equal dimensions, whatever their order. */
export function keyOf(dimensions: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1)));
}
