import { describe, expect, it } from 'vitest';

import { add, type Decimal, formatDecimal, fromInteger, parseDecimal, sum, times, ZERO } from '#kernel/money';
import { checkPrice, listUnitPrice, type Price, type Tier } from './price.ts';
import { type PlanPrice, priceFor, type RatePlan, rateInvoice, rateUsage } from './rate-usage.ts';
import worked from './worked-cases.json' with { type: 'json' };

interface WorkedCase {
  id: string;
  price: Price;
  quantity: string;
  previous?: string;
  amount: string;
  tiers?: string[];
}

const d = parseDecimal;
const same = (text: string) => formatDecimal(d(text));

describe('worked examples of other products', () => {
  it.each(worked.cases as WorkedCase[])('$id', ({ price, quantity, previous, amount, tiers }) => {
    const rated = rateUsage(quantity, price);
    const before = previous === undefined ? ZERO : d(rateUsage(previous, price).amount);
    expect(formatDecimal((d(rated.amount) - before) as Decimal)).toBe(same(amount));
    if (tiers) expect(rated.tiers.map((t) => t.amount)).toEqual(tiers.map(same));
  });

  it('are all there', () => expect(worked.cases).toHaveLength(30));
});

describe('rateUsage', () => {
  it('prices tokens per million exactly', () => {
    const price: Price = { model: 'package', unit: '0.15', per: '1000000', roundUp: false };
    expect(rateUsage('1234567', price).amount).toBe('0.18518505');
    expect(rateUsage('1', price).amount).toBe('0.00000015');
    expect(rateUsage('1', { ...price, roundUp: true }).amount).toBe('0.15');
    expect(rateUsage('1234567', price).tiers).toEqual([
      {
        from: '0',
        upTo: null,
        quantity: '1234567',
        unit: '0.15',
        per: '1000000',
        count: '1.234567',
        flat: '0',
        amount: '0.18518505',
      },
    ]);
  });

  it('takes included units off first, and says so', () => {
    const price: Price = {
      model: 'graduated',
      included: '100',
      tiers: [
        { upTo: '10', unit: '1' },
        { upTo: null, unit: '0.5', flat: '2' },
      ],
    };
    expect(rateUsage('90.5', price)).toEqual({
      quantity: '90.5',
      included: '90.5',
      billable: '0',
      amount: '0',
      tiers: [],
    });
    expect(rateUsage('110', price)).toMatchObject({ included: '100', billable: '10', amount: '10' });
    const over = rateUsage('110.2', price);
    expect(over.amount).toBe('12.1');
    expect(over.tiers.map(({ from, upTo, quantity, flat, amount }) => [from, upTo, quantity, flat, amount])).toEqual([
      ['0', '10', '10', '0', '10'],
      ['10', null, '0.2', '2', '2.1'],
    ]);
  });

  it('treats bounds as inclusive: a fraction above belongs to the next tier', () => {
    const tiers: Tier[] = [
      { upTo: '5', unit: '7' },
      { upTo: null, unit: '6' },
    ];
    expect(rateUsage('5', { model: 'volume', tiers }).amount).toBe('35');
    expect(rateUsage('5.000000000001', { model: 'volume', tiers }).amount).toBe('30.000000000006');
    expect(rateUsage('5.000000000001', { model: 'graduated', tiers }).amount).toBe('35.000000000006');
  });

  it('charges a flat fee without use only when told to', () => {
    const tiers: Tier[] = [{ upTo: null, unit: '1', flat: '100' }];
    for (const model of ['graduated', 'volume'] as const) {
      expect(rateUsage('0', { model, tiers }).amount).toBe('0');
      expect(rateUsage('0', { model, tiers, flatAtZero: true }).amount).toBe('100');
      expect(rateUsage('3', { model, tiers, flatAtZero: true, included: '5' }).amount).toBe('100');
      expect(rateUsage('1', { model, tiers, flatAtZero: true }).amount).toBe('101');
    }
  });

  it('equals unit-by-unit pricing over a grid of tiers and quantities', () => {
    const bounds = [1, 3, 10];
    for (const units of [
      ['3', '2', '1', '0'],
      ['0', '0.1', '0.25', '7'],
      ['0.000000000001', '5', '5', '2'],
    ]) {
      for (const flats of [
        ['0', '0', '0', '0'],
        ['1', '0', '2.5', '4'],
      ]) {
        for (const included of [0, 1, 4]) {
          const tiers: Tier[] = units.map((unit, i) => ({
            upTo: bounds[i]?.toString() ?? null,
            unit,
            flat: flats[i] as string,
          }));
          let graduated: Decimal = ZERO;
          for (let used = 0; used <= 14; used++) {
            const n = used - included;
            const at = bounds.findIndex((b) => n <= b) < 0 ? 3 : bounds.findIndex((b) => n <= b);
            const begins = n === 1 || bounds.includes(n - 1);
            if (n > 0) graduated = sum([graduated, d(units[at] as string), begins ? d(flats[at] as string) : ZERO]);
            const volume = n > 0 ? add(times(d(units[at] as string), n), d(flats[at] as string)) : ZERO;
            for (const [model, expected] of [
              ['graduated', graduated],
              ['volume', volume],
            ] as const) {
              const rated = rateUsage(String(used), { model, tiers, included: String(included) });
              expect(rated.amount, `${model} ${units} ${flats} ${included} ${used}`).toBe(formatDecimal(expected));
              expect(sum(rated.tiers.map((t) => d(t.amount)))).toBe(expected);
              expect(sum(rated.tiers.map((t) => d(t.quantity)))).toBe(fromInteger(Math.max(0, n)));
            }
          }
        }
      }
    }
  });

  it('refuses negative usage and prices that make no sense, naming the place', () => {
    expect(() => rateUsage('-1', { model: 'per_unit', unit: '1' })).toThrow('negative');
    expect(() => rateUsage('1', { model: 'package', unit: '1', per: '0', roundUp: true })).toThrow(
      '/per: Must be above 0',
    );
    const places = (price: Price) => checkPrice(price).map((p) => p.pointer);
    const tiers = (...all: [string | null, string][]): Price => ({
      model: 'graduated',
      tiers: all.map(([upTo, unit]) => ({ upTo, unit })),
    });
    expect(places(tiers(['1', '1'], ['2', '0.5'], [null, '0']))).toEqual([]);
    expect(places(tiers())).toEqual(['/tiers']);
    expect(places(tiers(['1', '1']))).toEqual(['/tiers/0/upTo']);
    expect(places(tiers([null, '1'], [null, '1']))).toEqual(['/tiers/0/upTo']);
    expect(places(tiers(['2', '1'], ['2', '1'], [null, '1']))).toEqual(['/tiers/1/upTo']);
    expect(places(tiers(['0', '1'], [null, '1']))).toEqual(['/tiers/0/upTo']);
    expect(places(tiers(['x', '1'], [null, '-1']))).toEqual(['/tiers/0/upTo', '/tiers/1/unit']);
    expect(places({ model: 'per_unit', unit: '1e3', included: '-1' })).toEqual(['/included', '/unit']);
    expect(places({ model: 'per_unit' } as unknown as Price)).toEqual(['/unit']);
  });

  it('lists the first price of a unit', () => {
    const list = (price: Price) => formatDecimal(listUnitPrice(price));
    expect(list({ model: 'per_unit', unit: '0.02', included: '9' })).toBe('0.02');
    expect(list({ model: 'package', unit: '0.15', per: '1000000', roundUp: false })).toBe('0.00000015');
    expect(
      list({
        model: 'volume',
        tiers: [
          { upTo: '5', unit: '1', per: '3' },
          { upTo: null, unit: '0' },
        ],
      }),
    ).toBe('0.333333333333');
  });
});

describe('rateInvoice', () => {
  const million = (unit: string, included = '0'): Price => ({
    model: 'package',
    unit,
    per: '1000000',
    roundUp: false,
    included,
  });
  const plan: RatePlan = {
    currency: 'USD',
    prices: [
      { id: 'prc_in', meter: 'tokens.input', groupBy: ['model'], price: million('0.15') },
      { id: 'prc_in_big', meter: 'tokens.input', where: { model: ['big', 'huge'] }, price: million('10', '1000000') },
      {
        id: 'prc_runs',
        meter: 'runs',
        price: {
          model: 'graduated',
          tiers: [
            { upTo: '100', unit: '0.02' },
            { upTo: null, unit: '0.01' },
          ],
        },
      },
      {
        id: 'prc_seat',
        meter: 'seats',
        price: { model: 'volume', tiers: [{ upTo: null, unit: '5', flat: '20' }], flatAtZero: true },
      },
      { id: 'prc_idle', meter: 'gpu', price: { model: 'per_unit', unit: '3' } },
    ],
  };
  const row = (meter: string, quantity: string, model?: string) => ({
    meter,
    quantity,
    dimensions: (model ? { model } : {}) as Record<string, string>,
  });

  it('makes lines by price and dimension, and leaves nothing out', () => {
    const usage = [
      row('tokens.input', '40000000', 'small'),
      row('tokens.input', '500000', 'big'),
      row('tokens.input', '1500000', 'huge'),
      row('tokens.input', '20000', 'mini'),
      row('tokens.input', '300000', 'small'),
      row('runs', '150'),
      row('tokens.magic', '7'),
    ];
    const invoice = rateInvoice({ usage, plan });
    expect(
      invoice.lines.map((l) => [
        l.priceId,
        l.dimensions,
        l.quantity,
        l.included,
        l.unitPrice,
        l.per,
        l.exactAmount,
        l.amount,
      ]),
    ).toEqual([
      ['prc_in', { model: 'mini' }, '20000', '0', '0.15', '1000000', '0.003', '0.00'],
      ['prc_in', { model: 'small' }, '40300000', '0', '0.15', '1000000', '6.045', '6.05'],
      ['prc_in_big', {}, '2000000', '1000000', '10', '1000000', '10', '10.00'],
      ['prc_runs', {}, '150', '0', null, null, '2.5', '2.50'],
      ['prc_seat', {}, '0', '0', null, null, '20', '20.00'],
    ]);
    expect(invoice.lines[3]?.tiers.map((t) => [t.quantity, t.unit, t.amount])).toEqual([
      ['100', '0.02', '2'],
      ['50', '0.01', '0.5'],
    ]);
    expect(invoice.total).toBe('38.55');
    expect(invoice.unpriced).toEqual([row('tokens.magic', '7')]);
  });

  it('keeps the unit price on a line whose units were all included', () => {
    const invoice = rateInvoice({ usage: [row('tokens.input', '400000', 'big')], plan });
    expect(invoice.lines[0]).toMatchObject({
      included: '400000',
      billable: '0',
      unitPrice: '10',
      per: '1000000',
      amount: '0.00',
    });
  });

  it('rounds each line once, from its exact value', () => {
    // 0.015 × 0.999999999999 ÷ 3: at 12 places a tie at 0.005, the exact value lies 5 × 10⁻¹⁵ below it.
    const price: Price = { model: 'package', unit: '0.015', per: '3', roundUp: false };
    const line = (unit: string, quantity: string, currency = 'USD') =>
      rateInvoice({
        usage: [row('m', quantity)],
        plan: { currency, prices: [{ id: 'p', meter: 'm', price: { ...price, unit } }] },
      }).lines[0];
    expect(line('0.015', '0.999999999999')).toMatchObject({ exactAmount: '0.005', amount: '0.00' });
    expect(line('0.015', '1')).toMatchObject({ exactAmount: '0.005', amount: '0.01' });
    expect(line('1', '1', 'JPY')).toMatchObject({ exactAmount: '0.333333333333', amount: '0' });
    expect(line('1.5', '1', 'BHD')).toMatchObject({ exactAmount: '0.5', amount: '0.500' });
  });

  it('does not depend on the order or the splitting of usage', () => {
    const usage = [
      row('runs', '60.5'),
      row('tokens.input', '7', 'b'),
      row('runs', '89.5'),
      row('tokens.input', '9', 'a'),
    ];
    const joined = [row('tokens.input', '9', 'a'), row('tokens.input', '7', 'b'), row('runs', '150')];
    expect(rateInvoice({ usage, plan })).toEqual(rateInvoice({ usage: joined, plan }));
  });

  it('picks the most specific price, then the first', () => {
    const price: Price = { model: 'per_unit', unit: '1' };
    const prices: PlanPrice[] = [
      { id: 'any', meter: 'm', price },
      { id: 'also-any', meter: 'm', price },
      { id: 'a', meter: 'm', where: { model: 'a' }, price },
      { id: 'a-test', meter: 'm', where: { model: 'a', mode: ['test', 'trial'] }, price },
    ];
    const id = (dimensions: Record<string, string>, meter = 'm') => priceFor(prices, meter, dimensions)?.id;
    expect([id({}), id({ model: 'a' }), id({ model: 'a', mode: 'trial' }), id({ mode: 'test' }), id({}, 'x')]).toEqual([
      'any',
      'a',
      'a-test',
      'any',
      undefined,
    ]);
  });

  it('refuses an unknown currency', () => {
    expect(() => rateInvoice({ usage: [], plan: { ...plan, currency: 'USDT' } })).toThrow('ISO 4217');
  });
});
