import { add, type Decimal, formatDecimal, parseDecimal, ZERO } from '#kernel/money';
import type { Reserved, Run, Spending, Step } from './runs.ts';
import type { Priced } from './step-budget.ts';

/** What a run costs so far; null where the plan names no price. */
export function priceOf(run: Run): Priced {
  return run.currency === null ? null : { price: formatDecimal(parseDecimal(run.money)), currency: run.currency };
}

/** What a run set aside and used in all, runs that it started as tools included. */
export function spendingOf(run: Run, steps: readonly Step[]): Spending {
  const parts = steps.flatMap((step) => [
    ...(step.below === null ? [] : [step.below]),
    ...(step.usage === null && step.reserved === null ? [] : [{ ...step.usage, reserved: step.reserved }]),
  ]);
  const quantities: Record<string, number> = {};
  let reserved: Reserved | null = null;
  const costs: { amount: Decimal; currency: string | null }[] = [];
  for (const part of parts) {
    for (const [name, count] of Object.entries(part.quantities ?? {}))
      quantities[name] = (quantities[name] ?? 0) + count;
    reserved = addReserved(reserved, part.reserved);
    if (part.cost !== undefined && part.cost !== null)
      costs.push({ amount: parseDecimal(part.cost), currency: part.costCurrency ?? null });
  }
  const [first] = costs;
  const one = first !== undefined && costs.every(({ currency }) => currency === first.currency);
  return {
    reserved,
    quantities,
    estimated: parts.some(({ estimated }) => estimated === true),
    price: priceOf(run)?.price ?? null,
    currency: run.currency,
    cost: one ? formatDecimal(costs.reduce((sum, { amount }) => add(sum, amount), ZERO)) : null,
    costCurrency: one ? first.currency : null,
  };
}

function addReserved(sum: Reserved | null, part: Reserved | null): Reserved | null {
  if (sum === null || part === null) return sum ?? part;
  const money =
    sum.money === null || part.money === null
      ? (sum.money ?? part.money)
      : formatDecimal(add(parseDecimal(sum.money), parseDecimal(part.money)));
  return { tokens: sum.tokens + part.tokens, money };
}
