import { describe, expect, it } from 'vitest';

import { formatDecimal, parseDecimal, sum } from '#kernel/money';

import { type BilledPlan, composeInvoice, type InvoiceLine, type PeriodUsage } from './compose-invoice.ts';
import { explainInvoice } from './explain-invoice.ts';
import { ListPrices } from './list-prices.ts';
import type { Price } from './price.ts';
import { type PlanPrice, priceFor, rateUsage } from './rate-usage.ts';
import { joinSums, type UsageSum } from './split-usage.ts';

const runs = (price: Price): PlanPrice => ({ id: 'runs', meter: 'agent.run.runs', price });
const planOf = (prices: PlanPrice[], version = 1): BilledPlan => ({
  id: 'plan',
  version,
  name: 'Plan',
  currency: 'USD',
  prices,
});
const ran = (count: number): UsageSum => ({ type: 'agent.run', dimensions: {}, quantities: { runs: `${count}` } });
const period = (...segments: PeriodUsage['segments']): PeriodUsage => ({ start: 's', end: 'e', segments });
const upcoming = (current: PeriodUsage, late: { now: PeriodUsage; billed: PeriodUsage }[] = []) =>
  composeInvoice({ current, recurringFee: null, late });

const tiered: Price = {
  model: 'graduated',
  included: '50',
  tiers: [
    { upTo: '100', unit: '0.02' },
    { upTo: null, unit: '0.01' },
  ],
};

describe('composeInvoice', () => {
  it('writes lines with quantity, included, tiers and unit prices, and the fee of the plan', () => {
    const current = period({ plan: planOf([runs(tiered)]), usage: [ran(60), ran(110)] });
    const invoice = composeInvoice({ current, recurringFee: '20', late: [] });
    expect(invoice.lines.map((line) => [line.kind, line.quantity, line.included, line.unitPrice, line.amount])).toEqual(
      [
        ['recurring', '1', '0', '20', '20.00'],
        ['usage', '170', '50', null, '2.20'],
      ],
    );
    expect(invoice.lines[1]?.tiers.map(({ quantity, unit, amount }) => [quantity, unit, amount])).toEqual([
      ['100', '0.02', '2'],
      ['20', '0.01', '0.2'],
    ]);
    expect(invoice.lines[1]?.listAmount).toBe('3.4');
    expect(invoice.total).toBe('22.20');
  });

  it('goes on in the tiers under a second version: what is included is given once', () => {
    const dearer: Price = { model: 'per_unit', unit: '0.05', included: '50' };
    const invoice = upcoming(
      period({ plan: planOf([runs(tiered)]), usage: [ran(40)] }, { plan: planOf([runs(dearer)], 2), usage: [ran(20)] }),
    );
    expect(invoice.lines.map((l) => [l.plan.version, l.quantity, l.included, l.amount, l.before?.quantity])).toEqual([
      [1, '40', '40', '0.00', undefined],
      [2, '20', '10', '0.50', '40'],
    ]);
  });

  it('bills late usage as the difference, under the plan of its time', () => {
    const plan = planOf([runs(tiered)]);
    const now = period({ plan, usage: [ran(90)] });
    const billed = period({ plan, usage: [ran(40)] });
    const invoice = upcoming(period({ plan: planOf([runs({ model: 'per_unit', unit: '9' })], 2), usage: [] }), [
      { now, billed },
    ]);
    expect(invoice.lines).toHaveLength(1);
    expect(invoice.lines[0]).toMatchObject({
      kind: 'late',
      quantity: '50',
      included: '10',
      billable: '40',
      amount: '0.80',
      listAmount: '1',
      before: { quantity: '40', amount: '0.00' },
    });
  });

  it('gives money back when late usage moves all of a volume price to a cheaper tier', () => {
    const volume: Price = {
      model: 'volume',
      tiers: [
        { upTo: '100', unit: '1' },
        { upTo: null, unit: '0.5' },
      ],
    };
    const plan = planOf([runs(volume)]);
    const late = { now: period({ plan, usage: [ran(110)] }), billed: period({ plan, usage: [ran(100)] }) };
    expect(upcoming(period({ plan, usage: [] }), [late]).total).toBe('-45.00');
  });

  it('names the usage that the plan prices nothing of, not quantities beside priced ones', () => {
    const call = (model: string): UsageSum => ({
      type: 'model.call',
      dimensions: { model },
      quantities: { input_tokens: '5', requests: '1' },
    });
    const plan = planOf([
      { id: 'in', meter: 'model.call.input_tokens', where: { model: 'a' }, price: { model: 'per_unit', unit: '1' } },
    ]);
    const invoice = upcoming(period({ plan, usage: [call('a'), call('b')] }));
    expect(invoice.unpriced).toEqual([call('b')]);
    expect(invoice.total).toBe('5.00');
  });
});

describe('explainInvoice', () => {
  it('takes the difference to the calls’ list prices apart, to the last digit', () => {
    const plan = planOf([runs({ ...tiered, tiers: [{ upTo: null, unit: '0.0333' }] } as Price)]);
    const invoice = composeInvoice({
      current: period({ plan, usage: [ran(60)] }),
      recurringFee: '5',
      late: [{ now: period({ plan, usage: [ran(60)] }), billed: period({ plan, usage: [ran(50)] }) }],
    });
    const sums = [
      { ...ran(40), rows: 40, prices: { USD: '1.332', EUR: '2' } },
      { ...ran(20), rows: 20, prices: {} },
    ];
    const explained = explainInvoice(invoice, sums);
    expect(explained).toEqual({
      listTotal: '1.332',
      difference: '4.328',
      parts: { includedAndTiers: '-1.665', rounding: '-0.003', recurringFees: '5', late: '0.33', otherPrices: '0.666' },
      otherCurrencies: { EUR: '2.00' },
    });
    expect(invoice.total).toBe('5.66');
  });
});

describe('random plans and usage', () => {
  const seed = Number(process.env['TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const random = mulberry(seed);
  const int = (below: number) => Math.floor(random() * below);
  const pick = <T>(items: readonly T[]): T => items[int(items.length)] as T;
  const models = ['a', 'b', 'c'];
  const names = ['input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_tokens'];

  function randomPrice(): Price {
    const unit = () => `0.${String(int(1_000_000)).padStart(6, '0')}`;
    const included = random() < 0.5 ? {} : { included: `${int(300)}` };
    const kind = int(4);
    if (kind === 0) return { model: 'per_unit', unit: unit(), ...included };
    if (kind === 1)
      return { model: 'package', unit: unit(), per: `${1 + int(9)}`, roundUp: random() < 0.5, ...included };
    const flat = () => (random() < 0.5 ? {} : { flat: unit() });
    const tiers = [
      { upTo: `${1 + int(200)}`, unit: unit(), ...flat() },
      { upTo: '400', unit: unit(), ...flat() },
      { upTo: null, unit: unit(), ...flat() },
    ];
    return { model: kind === 2 ? 'graduated' : 'volume', tiers, flatAtZero: random() < 0.3, ...included };
  }

  function randomPlan(version: number): BilledPlan {
    const prices: PlanPrice[] = [runs(randomPrice())];
    for (const name of names) {
      if (random() < 0.7) prices.push({ id: name, meter: `model.call.${name}`, price: randomPrice() });
      if (random() < 0.5) {
        const groupBy = random() < 0.5 ? { groupBy: ['model'] } : {};
        const where = { model: pick(models) };
        prices.push({ id: `${name}-own`, meter: `model.call.${name}`, where, ...groupBy, price: randomPrice() });
      }
    }
    return planOf(prices, version);
  }

  function randomRow(): UsageSum {
    if (random() < 0.3) return ran(1 + int(3));
    const [input, output] = [int(60), int(40)];
    const quantities = {
      input_tokens: `${input}`,
      cached_input_tokens: `${int(input + 1)}`,
      output_tokens: `${output}`,
      reasoning_tokens: `${int(output + 1)}`,
    };
    return { type: 'model.call', dimensions: { model: pick(models) }, quantities };
  }

  const rowsOf = (most: number) => Array.from({ length: int(most) }, randomRow);
  const totalOf = (lines: readonly InvoiceLine[]) => formatDecimal(sum(lines.map((line) => parseDecimal(line.amount))));

  it(`an invoice is the rating of what the rows add up to (seed ${seed})`, () => {
    for (let round = 0; round < 200; round++) {
      const plan = randomPlan(1);
      const rows = rowsOf(40);
      const { lines } = upcoming(period({ plan, usage: joinSums(rows) }));
      // Added up row by row, the slow way: each token goes to one price.
      const quantities = new Map<string, number>();
      const count = (meter: string, model: string | undefined, quantity: number) => {
        const price = priceFor(plan.prices, meter, model === undefined ? {} : { model });
        if (price === undefined) return false;
        const key = `${price.id} ${price.groupBy ? model : ''}`;
        quantities.set(key, (quantities.get(key) ?? 0) + quantity);
        return true;
      };
      for (const { type, dimensions, quantities: used } of rows) {
        const model = dimensions['model'];
        if (type === 'agent.run') count('agent.run.runs', undefined, Number(used['runs']));
        for (const [whole, part] of type === 'model.call'
          ? [
              ['input_tokens', 'cached_input_tokens'],
              ['output_tokens', 'reasoning_tokens'],
            ]
          : []) {
          const apart = count(`model.call.${part}`, model, Number(used[part as string]));
          count(
            `model.call.${whole}`,
            model,
            Number(used[whole as string]) - (apart ? Number(used[part as string]) : 0),
          );
        }
      }
      const shown = new Map(lines.map((line) => [`${line.priceId} ${line.dimensions['model'] ?? ''}`, line]));
      for (const price of plan.prices) {
        for (const key of price.groupBy ? models.map((model) => `${price.id} ${model}`) : [`${price.id} `]) {
          const quantity = quantities.get(key) ?? 0;
          const line = shown.get(key);
          if (line === undefined && (price.groupBy || quantity === 0)) {
            expect(quantity, `round ${round} ${key}`).toBe(0);
            continue;
          }
          const rated = rateUsage(`${quantity}`, price.price);
          expect([line?.quantity, line?.exactAmount], `round ${round} ${key}`).toEqual([`${quantity}`, rated.amount]);
        }
      }
    }
  });

  it(`a final invoice and its late lines charge what one invoice would have (seed ${seed})`, () => {
    for (let round = 0; round < 200; round++) {
      const plans = [randomPlan(1), randomPlan(2)].slice(0, 1 + int(2));
      const empty = period({ plan: plans.at(-1) as BilledPlan, usage: [] });
      const found = plans.map(() => [rowsOf(20), rowsOf(6), rowsOf(6)]);
      const usageUpTo = (invoices: number) =>
        period(...plans.map((plan, i) => ({ plan, usage: joinSums((found[i] ?? []).slice(0, invoices).flat()) })));
      const final = upcoming(usageUpTo(1)).lines;
      const lateOf = (n: number) =>
        upcoming(empty, [{ now: usageUpTo(n), billed: usageUpTo(n - 1) }]).lines.filter(({ kind }) => kind === 'late');
      const together = totalOf([...final, ...lateOf(2), ...lateOf(3)]);
      expect(together, `round ${round}`).toBe(totalOf(upcoming(usageUpTo(3)).lines));
    }
  });

  it(`without included amounts and tiers an invoice is the sum of its rows' list prices (seed ${seed})`, () => {
    for (let round = 0; round < 100; round++) {
      const random = randomPlan(1);
      const prices = random.prices.map((each) => ({
        ...each,
        price: { model: 'per_unit', unit: `0.${int(1_000_000) + 1_000_000}` } as const,
      }));
      const plan = { ...random, prices };
      const rows = rowsOf(40);
      const list = new ListPrices(plan);
      const listed = rows.map((row) => list.priceOf(row.type, row.dimensions, row.quantities)?.price ?? '0');
      const { lines } = upcoming(period({ plan, usage: joinSums(rows) }));
      const exact = sum(lines.map(({ exactAmount }) => parseDecimal(exactAmount)));
      expect(formatDecimal(exact), `round ${round}`).toBe(formatDecimal(sum(listed.map(parseDecimal))));
    }
  });
});

/** Seeded random numbers (mulberry32). */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
