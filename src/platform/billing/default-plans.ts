import type { PlanPrice } from './rate-usage.ts';

/** What a plan is made of, before it has an id. */
export type PlanDraft = {
  readonly name: string;
  readonly currency: string;
  readonly demo: boolean;
  readonly isDefault: boolean;
  readonly recurringFee: string | null;
  readonly prices: readonly Omit<PlanPrice, 'id'>[];
};

/** Currencies in which a run of a demo tenant's agents has a price, and that price. */
const demoRun: Readonly<Record<string, readonly [first: string, beyond: string]>> = {
  USD: ['0.02', '0.015'],
  EUR: ['0.02', '0.015'],
  CNY: ['0.15', '0.1'],
};

/** Currencies that plans are made in at the start; others when the first tenant of theirs comes. */
export const firstPlans: readonly { currency: string; demo: boolean }[] = [
  { currency: 'USD', demo: false },
  ...Object.keys(demoRun).map((currency) => ({ currency, demo: true })),
];

/** The router is Lintel's own and costs nothing, on every plan. */
const router: PlanDraft['prices'] = ['input_tokens', 'output_tokens'].map((name) => ({
  meter: `model.call.${name}`,
  where: { model: 'lintel/router' },
  price: { model: 'per_unit', unit: '0' },
}));

/**
 * The plan that new tenants of a currency get. Demo: runs have a price, with an included amount and a tier, so that an invoice shows one
 * of each before any model is connected. Else "Standard": no model has a price until the operator gives it one; runs are counted, at 0.
 */
export function defaultPlanOf(currency: string, demo: boolean): PlanDraft {
  const run = demo ? demoRun[currency] : undefined;
  const runs: PlanDraft['prices'][number] = {
    meter: 'agent.run.runs',
    price:
      run === undefined
        ? { model: 'per_unit', unit: '0' }
        : {
            model: 'graduated',
            included: '50',
            tiers: [
              { upTo: '1000', unit: run[0] },
              { upTo: null, unit: run[1] },
            ],
          },
  };
  return {
    name: demo ? 'Demo' : 'Standard',
    currency,
    demo,
    isDefault: true,
    recurringFee: null,
    prices: [runs, ...router],
  };
}
