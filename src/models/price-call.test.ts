import { expect, test } from 'vitest';

import { priceAt, priceCall } from './price-call.ts';
import type { Quantities, UnitPrices } from './types.ts';

const used: Quantities = { input_tokens: 1000, cached_input_tokens: 400, output_tokens: 200, reasoning_tokens: 50 };

function book(prices: UnitPrices['prices'], validFrom = '2026-01-01T00:00:00Z'): UnitPrices {
  return { currency: 'USD', validFrom, prices };
}

test('each token is charged once: parts at their own price, the rest at the whole’s', () => {
  // 600 × 2.5e-6 + 400 × 2.5e-7 + 150 × 1e-5 + 50 × 2e-5
  const prices = {
    input_tokens: '0.0000025',
    cached_input_tokens: '0.00000025',
    output_tokens: '0.00001',
    reasoning_tokens: '0.00002',
  };
  expect(priceCall(book(prices), used)).toEqual({ cost: '0.0041', currency: 'USD' });
});

test('a part without its own price costs what its whole costs', () => {
  // 1000 × 2.5e-6 + 200 × 1e-5
  expect(priceCall(book({ input_tokens: '0.0000025', output_tokens: '0.00001' }), used)?.cost).toBe('0.0045');
});

test('cache writes have their own price where there is one', () => {
  const written = { ...used, cache_write_input_tokens: 100 };
  // 500 × 1 + 400 × 0 + 100 × 1.25, in millionths
  const prices = {
    input_tokens: '0.000001',
    cached_input_tokens: '0',
    cache_write_input_tokens: '0.00000125',
    output_tokens: '0',
  };
  expect(priceCall(book(prices), written)?.cost).toBe('0.000625');
});

test('a price per request is added', () => {
  expect(priceCall(book({ requests: '0.01', input_tokens: '0', output_tokens: '0' }), used)?.cost).toBe('0.01');
});

test('something used without any price makes the cost unknown, not zero', () => {
  expect(priceCall(book({ input_tokens: '0.000001' }), used)).toBeNull();
  expect(priceCall(book({ input_tokens: '0.000001' }), { ...used, output_tokens: 0, reasoning_tokens: 0 })?.cost).toBe(
    '0.001',
  );
});

test('the entry that began last holds', () => {
  const entries = [
    book({ input_tokens: '3' }, '2026-03-01T00:00:00Z'),
    book({ input_tokens: '1' }, '2026-01-01T00:00:00Z'),
    book({ input_tokens: '2' }, '2026-02-01T00:00:00.000Z'),
  ];
  const at = (time: string) => priceAt(entries, Date.parse(time))?.prices.input_tokens;
  expect(at('2025-12-31T23:59:59Z')).toBeUndefined();
  expect(at('2026-01-01T00:00:00Z')).toBe('1');
  expect(at('2026-02-28T23:59:59.999Z')).toBe('2');
  expect(at('2026-03-01T00:00:00Z')).toBe('3');
});
