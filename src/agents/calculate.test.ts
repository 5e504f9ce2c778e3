import { expect, test } from 'vitest';

import { calculate } from './calculate.ts';

test.each([
  ['1 + 2 * 3', 7],
  ['(1 + 2) * 3', 9],
  ['2 ^ 3 ^ 2', 512],
  ['-2 ^ 2', -4],
  ['2 ^ -1', 0.5],
  ['10 - 4 - 3', 3],
  ['100 / 10 / 5', 2],
  ['7 % 4 * 2', 6],
  ['--3', 3],
  ['.5 + 1e3 + 2.5E-1', 1000.75],
  ['sqrt(16) + max(1, 2, 3) - MIN(4, 5)', 3],
  ['round(pi * 100) / 100', 3.14],
])('%s = %d', (expression, value) => {
  expect(calculate(expression)).toBeCloseTo(value, 12);
});

test.each([
  '',
  '1 +',
  '(1',
  '1)',
  '1 2',
  'x',
  'sqrt 4',
  'sqrt(1, 2)',
  'constructor(1)',
  '1/0',
  'ln(-1)',
  '1..2',
  '1,2',
  '٣+١',
])('refuses %j', (expression) => {
  expect(() => calculate(expression)).toThrow(RangeError);
});

test('says where a mistake is', () => {
  expect(() => calculate('1 + $')).toThrow('"$" is not expected');
  expect(() => calculate('1 +')).toThrow('ends too early');
});

test('deep and long expressions are refused or done, never a crash', () => {
  expect(() => calculate('('.repeat(1_900))).toThrow(RangeError);
  expect(() => calculate('-'.repeat(1_900))).toThrow(RangeError);
  expect(() => calculate('2^'.repeat(900))).toThrow(RangeError);
  expect(calculate(Array.from({ length: 900 }, () => '1').join('+'))).toBe(900);
  expect(() => calculate('1'.repeat(2_001))).toThrow('longer than');
});
