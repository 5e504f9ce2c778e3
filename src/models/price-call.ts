import { add, formatDecimal, parseDecimal, times, ZERO } from '#kernel/money';

import type { PricedQuantity, UnitPrices } from './types.ts';

/** Quantities by name; those not named are 0, except `requests`, which is 1. */
export type Used = Readonly<Record<string, number | undefined>>;

/** What a call cost its provider's owner: decimal string and ISO 4217 code. */
export type Cost = { readonly cost: string; readonly currency: string };

/** The entry of a price book that holds at an instant (ISO 8601 UTC, epoch ms): the latest that began; undefined before the first. */
export function priceAt(book: readonly UnitPrices[], epochMs: number): UnitPrices | undefined {
  let found: UnitPrices | undefined;
  let since = Number.NEGATIVE_INFINITY;
  for (const entry of book) {
    const from = Date.parse(entry.validFrom);
    if (from <= epochMs && from >= since) {
      found = entry;
      since = from;
    }
  }
  return found;
}

/**
 * What the quantities cost at unit prices, exact. Cached, cache-written and reasoning tokens are parts of input and output: each token
 * is charged once, at its part's price where there is one, else at its whole's. Null when something used has no price at all.
 */
export function priceCall(entry: UnitPrices, used: Used): Cost | null {
  const { prices } = entry;
  const of = (name: PricedQuantity) => used[name] ?? 0;
  const cached = of('cached_input_tokens');
  const written = of('cache_write_input_tokens');
  const reasoning = of('reasoning_tokens');
  const parts: readonly (readonly [number, ...PricedQuantity[]])[] = [
    [of('input_tokens') - cached - written, 'input_tokens'],
    [cached, 'cached_input_tokens', 'input_tokens'],
    [written, 'cache_write_input_tokens', 'input_tokens'],
    [of('output_tokens') - reasoning, 'output_tokens'],
    [reasoning, 'reasoning_tokens', 'output_tokens'],
  ];
  let total = prices.requests === undefined ? ZERO : times(parseDecimal(prices.requests), used['requests'] ?? 1);
  for (const [quantity, ...names] of parts) {
    if (quantity === 0) continue;
    const name = names.find((each) => prices[each] !== undefined);
    if (name === undefined) return null;
    total = add(total, times(parseDecimal(prices[name] as string), quantity));
  }
  return { cost: formatDecimal(total), currency: entry.currency };
}
