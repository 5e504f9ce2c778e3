import { newId } from '#kernel/ids';
import { isCurrency, parseDecimal, ZERO } from '#kernel/money';
import { Problem, type ProblemPlace, problems } from '#kernel/problem';

import type { PlanDraft } from './default-plans.ts';
import { checkPrice } from './price.ts';
import type { PlanPrice } from './rate-usage.ts';

/** What a plan is made of; a price without an id gets one. */
export type PlanInput = Omit<PlanDraft, 'prices'> & {
  readonly prices: readonly (Omit<PlanPrice, 'id'> & { readonly id?: string })[];
};

/**
 * The prices of a plan, each with an id. 400 with every wrong place: a currency that is none, a price that cannot be rated, an id that is
 * not one of `known`, two prices for the same usage (the second would never be used).
 */
export function checkPlan(input: PlanInput, known: readonly PlanPrice[] = []): PlanPrice[] {
  const places: ProblemPlace[] = [];
  if (!isCurrency(input.currency)) places.push({ pointer: '/currency', detail: 'is not an ISO 4217 currency code' });
  if (input.recurringFee !== null && parseDecimal(input.recurringFee) < ZERO)
    places.push({ pointer: '/recurringFee', detail: 'must be at least 0' });
  const ids = new Set<string>();
  const matches = new Set<string>();
  input.prices.forEach((planPrice, index) => {
    const at = `/prices/${index}`;
    for (const { pointer, detail } of checkPrice(planPrice.price))
      places.push({ pointer: `${at}/price${pointer}`, detail });
    const { id, meter, where = {} } = planPrice;
    if (id !== undefined && (ids.has(id) || known.every((each) => each.id !== id)))
      places.push({ pointer: `${at}/id`, detail: 'is not the id of a price of the version before, or is there twice' });
    if (id !== undefined) ids.add(id);
    const conditions = Object.entries(where).map(([name, value]) => [name, [value].flat().toSorted()]);
    const match = JSON.stringify([meter, conditions.toSorted()]);
    if (matches.has(match)) places.push({ pointer: at, detail: 'is a second price for the same usage' });
    matches.add(match);
  });
  if (places.length > 0) throw new Problem(problems.invalid, { detail: 'The plan cannot be rated.', errors: places });
  return input.prices.map((price) => ({ ...price, id: price.id ?? newId() }));
}
