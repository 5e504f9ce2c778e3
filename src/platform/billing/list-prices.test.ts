import { describe, expect, it } from 'vitest';

import { defaultPlanOf } from './default-plans.ts';
import { ListPrices } from './list-prices.ts';
import type { Price } from './price.ts';
import type { PlanPrice, RatePlan } from './rate-usage.ts';
import { splitUsage } from './split-usage.ts';

const million = (unit: string): Price => ({ model: 'package', unit, per: '1000000', roundUp: false });
const price = (quantity: string, unit: string, model?: string): PlanPrice => ({
  id: `${quantity}-${model}`,
  meter: `model.call.${quantity}`,
  ...(model === undefined ? {} : { where: { model } }),
  price: million(unit),
});
const plan: RatePlan = {
  currency: 'USD',
  prices: [
    price('input_tokens', '2', 'a/whole'),
    price('output_tokens', '8', 'a/whole'),
    price('input_tokens', '2', 'a/parts'),
    price('cached_input_tokens', '0.5', 'a/parts'),
    price('cache_write_input_tokens', '2.5', 'a/parts'),
    price('output_tokens', '8', 'a/parts'),
    price('reasoning_tokens', '4', 'a/parts'),
    { id: 'runs', meter: 'agent.run.runs', price: { model: 'per_unit', unit: '0.02', included: '50' } },
  ],
};
const used = {
  input_tokens: 1_000_000,
  cached_input_tokens: 400_000,
  cache_write_input_tokens: 100_000,
  output_tokens: 500_000,
  reasoning_tokens: 200_000,
};

describe('ListPrices', () => {
  const prices = new ListPrices(plan);

  it('charges each token once: at its part’s price where the plan has one, else with its whole', () => {
    expect(prices.priceOf('model.call', { model: 'a/whole' }, used)).toEqual({ price: '6', currency: 'USD' });
    // 0.5 M × 2 + 0.4 M × 0.5 + 0.1 M × 2.5 + 0.3 M × 8 + 0.2 M × 4
    expect(prices.priceOf('model.call', { model: 'a/parts' }, used)).toEqual({ price: '4.65', currency: 'USD' });
  });

  it('knows no price for what the plan does not name', () => {
    expect(prices.priceOf('model.call', { model: 'b/other' }, used)).toBeNull();
    expect(prices.priceOf('agent.external', {}, { requests: 1 })).toBeNull();
    expect(prices.unitPrices('model.call', { model: 'b/other' })).toBeUndefined();
  });

  it('ignores included amounts, and lists the unit prices', () => {
    expect(prices.priceOf('agent.run', { agent: 'x' }, { runs: 3 })).toEqual({ price: '0.06', currency: 'USD' });
    expect(prices.unitPrices('model.call', { model: 'a/whole' })).toEqual({
      prices: { input_tokens: '0.000002', output_tokens: '0.000008' },
      currency: 'USD',
    });
  });

  it('takes decimal strings as it takes numbers', () => {
    const strings = Object.fromEntries(Object.entries(used).map(([name, value]) => [name, `${value}`]));
    expect(prices.priceOf('model.call', { model: 'a/parts' }, strings)?.price).toBe('4.65');
    expect(prices.priceOf('agent.run', {}, { runs: '0.5' })?.price).toBe('0.01');
  });

  it('charges nothing below zero when a counter says more cached than input', () => {
    const broken = { input_tokens: 10, cached_input_tokens: 400_000, output_tokens: 0 };
    expect(prices.priceOf('model.call', { model: 'a/parts' }, broken)?.price).toBe('0.2');
  });

  it('prices the router at 0 on every default plan, runs of demo tenants above 0', () => {
    for (const [currency, demo, run] of [
      ['USD', false, '0'],
      ['USD', true, '0.02'],
      ['CNY', true, '0.15'],
    ] as const) {
      const draft = defaultPlanOf(currency, demo);
      const list = new ListPrices({ currency, prices: draft.prices.map((each, i) => ({ ...each, id: `${i}` })) });
      expect(list.priceOf('model.call', { model: 'lintel/router' }, used)).toEqual({ price: '0', currency });
      expect(list.priceOf('model.call', { model: 'openai/x' }, used)).toBeNull();
      expect(list.priceOf('agent.run', {}, { runs: 1 })).toEqual({ price: run, currency });
    }
  });
});

describe('splitUsage', () => {
  it('joins sums and takes priced parts out of their wholes', () => {
    const quantities = Object.fromEntries(Object.entries(used).map(([name, value]) => [name, `${value}`]));
    const sum = { type: 'model.call', dimensions: { model: 'a/parts' }, quantities };
    const split = splitUsage([sum, sum], plan.prices);
    expect(
      Object.fromEntries(split.map(({ meter, quantity }) => [meter.slice('model.call.'.length), quantity])),
    ).toEqual({
      input_tokens: '1000000',
      cached_input_tokens: '800000',
      cache_write_input_tokens: '200000',
      output_tokens: '600000',
      reasoning_tokens: '400000',
    });
    const whole = splitUsage([{ ...sum, dimensions: { model: 'a/whole' } }], plan.prices);
    expect(whole.map(({ meter, quantity }) => [meter, quantity])).toEqual([
      ['model.call.input_tokens', '1000000'],
      ['model.call.output_tokens', '500000'],
    ]);
  });
});
