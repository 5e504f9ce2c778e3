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
  for (const part of parts) {
    for (const [name, count] of Object.entries(part.quantities ?? {}))
      quantities[name] = (quantities[name] ?? 0) + count;
    reserved = addReserved(reserved, part.reserved);
  }
  const cost = sumOf(parts.map((part) => [part.cost, part.costCurrency]));
  const own = sumOf(parts.map((part) => [part.ownCost, part.ownCostCurrency]));
  return {
    reserved,
    quantities,
    estimated: parts.some(({ estimated }) => estimated === true),
    price: priceOf(run)?.price ?? null,
    currency: run.currency,
    cost: cost?.amount ?? null,
    costCurrency: cost?.currency ?? null,
    ...(own === undefined ? {} : { ownCost: own.amount, ownCostCurrency: own.currency }),
  };
}

type Some = string | null | undefined;

/** The sum of what is there; undefined for nothing, or for several currencies. */
function sumOf(costs: readonly (readonly [amount: Some, currency: Some])[]) {
  let all: { amount: Decimal; currency: string } | undefined;
  for (const [amount, currency] of costs) {
    if (amount == null || currency == null) continue;
    if (all !== undefined && all.currency !== currency) return undefined;
    all = { amount: add(all?.amount ?? ZERO, parseDecimal(amount)), currency };
  }
  return all && { ...all, amount: formatDecimal(all.amount) };
}

function addReserved(sum: Reserved | null, part: Reserved | null): Reserved | null {
  if (part === null) return sum;
  const { tokens, money } = part;
  if (sum === null) return { tokens, money };
  return {
    tokens: sum.tokens + tokens,
    money:
      sum.money === null || money === null
        ? (sum.money ?? money)
        : formatDecimal(add(parseDecimal(sum.money), parseDecimal(money))),
  };
}
