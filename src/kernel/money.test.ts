import { describe, expect, it } from 'vitest';

import {
  add,
  compare,
  currencies,
  currencyExponent,
  DECIMAL_PATTERN,
  type Decimal,
  formatAmount,
  formatDecimal,
  fromInteger,
  fromMicros,
  fromMinor,
  isCurrency,
  max,
  min,
  multiply,
  parseDecimal,
  type Rounding,
  roundDivide,
  subtract,
  sum,
  times,
  toMicros,
  toMinor,
  ZERO,
} from '#kernel/money';

const d = parseDecimal;
/** To repeat a failure, put the seed it printed here. */
const seed = Date.now() % 2 ** 31;

/** mulberry32: a small generator that a seed repeats. */
function random(): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomDecimal(next: () => number): string {
  const digits = (n: number) => Array.from({ length: n }, () => Math.floor(next() * 10)).join('');
  const whole = BigInt(digits(1 + Math.floor(next() * 9))).toString();
  const fraction = digits(Math.floor(next() * 13));
  return `${next() < 0.5 ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Intl rounds decimal strings exactly (ECMA-402 since 2023): an independent check, where only its own currency table is wrong. */
function byIntl(text: string, places: number, rounding: Rounding): string {
  const format = new Intl.NumberFormat('en', {
    useGrouping: false,
    minimumFractionDigits: places,
    maximumFractionDigits: places,
    roundingMode: rounding,
    signDisplay: 'negative',
  });
  return format.format(text as Intl.StringNumericLiteral);
}

describe('decimal strings', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['12.50', '12.5'],
    ['100', '100'],
    ['0.000000000001', '0.000000000001'],
    ['-0.100000000000', '-0.1'],
    ['99999999999999999999999999.999999999999', '99999999999999999999999999.999999999999'],
  ])('reads %s and writes %s', (text, shortest) => {
    expect(text).toMatch(new RegExp(DECIMAL_PATTERN));
    expect(formatDecimal(d(text))).toBe(shortest);
  });

  it.each([
    '',
    ' 1',
    '1 ',
    '+1',
    '1e3',
    '.5',
    '5.',
    '01',
    '1,5',
    'NaN',
    'Infinity',
    '0x10',
    '--1',
    '1\n',
    '١',
    '0.0000000000001',
    '100000000000000000000000000',
  ])('refuses %j', (text) => {
    expect(text).not.toMatch(new RegExp(DECIMAL_PATTERN));
    expect(() => d(text)).toThrow(RangeError);
  });

  it('refuses what numeric(38,12) cannot hold', () => {
    expect(() => formatDecimal(multiply(d('99999999999999999999999999'), d('1.1')))).toThrow('too large');
    expect(() => formatDecimal(multiply(d('-99999999999999999999999999'), d('1.1')))).toThrow('too large');
  });
});

describe('arithmetic', () => {
  it('is exact where floats are not', () => {
    expect(formatDecimal(add(d('0.1'), d('0.2')))).toBe('0.3');
    expect(formatDecimal(times(d('0.00000015'), 1_234_567))).toBe('0.18518505');
    expect(formatDecimal(multiply(d('1.1'), d('1.1')))).toBe('1.21');
    expect(formatDecimal(subtract(d('1'), d('1.000000000001')))).toBe('-0.000000000001');
    expect(formatDecimal(sum([d('0.1'), d('0.2'), d('-0.3')]))).toBe('0');
    expect(sum([])).toBe(ZERO);
    expect(formatDecimal(fromInteger(42))).toBe('42');
    for (const count of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
      expect(() => times(d('1'), count)).toThrow('whole number');
  });

  it('compares and orders', () => {
    expect([d('2'), d('-3'), d('0.5')].sort(compare).map(formatDecimal)).toEqual(['-3', '0.5', '2']);
    expect(compare(d('1'), d('1.0'))).toBe(0);
    expect([min(d('2'), d('-3')), max(d('2'), d('-3'))].map(formatDecimal)).toEqual(['-3', '2']);
  });

  it.each<[Rounding, string[]]>([
    ['halfEven', ['-4', '-2', '-2', '0', '0', '2', '2', '4']],
    ['halfExpand', ['-4', '-3', '-2', '-1', '1', '2', '3', '4']],
    ['ceil', ['-3', '-2', '-1', '0', '1', '2', '3', '4']],
    ['floor', ['-4', '-3', '-2', '-1', '0', '1', '2', '3']],
  ])('rounds ties by %s', (rounding, expected) => {
    const ties = [-7n, -5n, -3n, -1n, 1n, 3n, 5n, 7n];
    expect(ties.map((n) => roundDivide(n, 2n, rounding).toString())).toEqual(expected);
  });

  it('rounds as Intl does, at random', () => {
    const next = random();
    for (let i = 0; i < 3000; i++) {
      const text = randomDecimal(next);
      for (const rounding of ['halfEven', 'halfExpand', 'ceil', 'floor'] as const) {
        const code = ['JPY', 'USD', 'BHD', 'CLF'][i % 4] as string;
        const places = currencyExponent(code);
        const ours = formatAmount(fromMinor(toMinor(d(text), code, rounding), code), code);
        expect(ours, `seed ${seed}: ${text} ${rounding} ${places}`).toBe(byIntl(text, places, rounding));
      }
    }
  });

  it('obeys the laws of arithmetic, at random', () => {
    const next = random();
    for (let i = 0; i < 2000; i++) {
      const [a, b, c] = [d(randomDecimal(next)), d(randomDecimal(next)), d(randomDecimal(next))] as [
        Decimal,
        Decimal,
        Decimal,
      ];
      const message = `seed ${seed}: ${a} ${b} ${c}`;
      expect(d(formatDecimal(a)), message).toBe(a);
      expect(add(a, subtract(b, a)), message).toBe(b);
      expect(multiply(a, b), message).toBe(multiply(b, a));
      const n = Math.floor(next() * 1e6);
      expect(times(add(a, b), n), message).toBe(add(times(a, n), times(b, n)));
      expect(multiply(c, fromInteger(n)), message).toBe(times(c, n));
      const up = fromMicros(toMicros(a, 'ceil'));
      expect(up >= a && up - a < 1_000_000n, message).toBe(true);
    }
  });

  it('refuses to divide by zero', () => {
    expect(() => roundDivide(1n, 0n, 'ceil')).toThrow('divide');
    expect(() => roundDivide(1n, -2n, 'ceil')).toThrow('divide');
  });
});

describe('currencies', () => {
  // Worked cases: ISO 4217 minor units, https://docs.stripe.com/currencies, https://docs.adyen.com/development-resources/currency-codes.json
  it.each([
    ['USD', 2],
    ['CNY', 2],
    ['KRW', 0],
    ['CLP', 0],
    ['XOF', 0],
    ['RWF', 0],
    ['GNF', 0],
    ['VUV', 0],
    ['BHD', 3],
    ['JOD', 3],
    ['OMR', 3],
    ['CLF', 4],
    ['TWD', 2],
    ['COP', 2],
    ['HUF', 2],
    ['IDR', 2],
    ['MGA', 2],
    ['IQD', 3],
  ])('%s has %d decimals', (code, exponent) => {
    expect(currencyExponent(code)).toBe(exponent);
  });

  it('lists each active code, and differs from ICU only where daily use has fewer decimals', () => {
    const codes = currencies();
    expect(codes).toHaveLength(165);
    expect(codes.every((code) => /^[A-Z]{3}$/.test(code))).toBe(true);
    const icu = (code: string) =>
      new Intl.NumberFormat('en', { style: 'currency', currency: code }).resolvedOptions().maximumFractionDigits;
    // ICU answers by daily use (fewer decimals than ISO) for these alone; a slip in our table would show up as another name here.
    const differing = codes.filter((code) => icu(code) !== currencyExponent(code));
    expect(differing.every((code) => (icu(code) ?? 9) < currencyExponent(code))).toBe(true);
    expect(differing.join(' ')).toBe('AFN ALL COP HUF IDR IQD IRR KPW LAK LBP MGA MMK PKR SOS SYP YER');
  });

  it('knows what is not a currency', () => {
    for (const code of ['usd', 'XXX', 'XAU', 'EURO', '', 'HRK']) {
      expect(isCurrency(code)).toBe(false);
      expect(() => currencyExponent(code)).toThrow('ISO 4217');
    }
    expect(isCurrency('EUR')).toBe(true);
  });

  it('writes amounts with the decimals of the currency, and more only where the value has more', () => {
    expect(formatAmount(d('5'), 'USD')).toBe('5.00');
    expect(formatAmount(d('-0.5'), 'USD')).toBe('-0.50');
    expect(formatAmount(d('0.00015'), 'USD')).toBe('0.00015');
    expect(formatAmount(d('645'), 'JPY')).toBe('645');
    expect(formatAmount(d('1.25'), 'BHD')).toBe('1.250');
    expect(formatAmount(fromMinor(100n, 'CLF'), 'CLF')).toBe('0.0100');
    // 1000 JPY × 20/31, rounded once.
    expect(roundDivide(d('1000') * 20n, 31n * 10n ** 12n, 'halfExpand')).toBe(645n);
  });

  it('counts micros', () => {
    expect(toMicros(d('1.0000001'), 'ceil')).toBe(1_000_001n);
    expect(toMicros(d('1.0000001'), 'halfEven')).toBe(1_000_000n);
    expect(formatDecimal(fromMicros(1_000_001n))).toBe('1.000001');
  });
});
