/**
 * An exact decimal, held as value × 10¹² in a bigint: what PostgreSQL's `numeric(38,12)` holds. Addition and comparison are
 * those of bigint, so sums in a loop cost what integers cost. Never mix one with a plain bigint: use the functions here.
 */
export type Decimal = bigint & { readonly [scale]: 12 };

/**
 * How a value between two representable ones is rounded, by Intl's names: `halfEven` (a tie to the even neighbour: no drift in
 * statistics), `halfExpand` (a tie away from zero: commercial rounding, used on invoices), `ceil`, `floor`.
 */
export type Rounding = 'halfEven' | 'halfExpand' | 'ceil' | 'floor';

/** Decimal places of {@link Decimal}. */
export const DECIMAL_PLACES = 12;

/** JSON Schema `pattern` of a decimal on the wire: at most 26 digits before and 12 after the point, no exponent, no sign but `-`. */
export const DECIMAL_PATTERN = '^-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,12})?$';

/** 0. */
export const ZERO = 0n as Decimal;

/** Reads a decimal string such as `12.5` or `-0.000000000001`; throws RangeError for anything {@link DECIMAL_PATTERN} refuses. */
export function parseDecimal(text: string): Decimal {
  const match = decimalParts.exec(text);
  if (!match) {
    throw new RangeError(
      `Not a decimal: ${JSON.stringify(String(text).slice(0, 60))}. Expected digits like 12.5, at most 26 before and 12 after the point.`,
    );
  }
  const value = BigInt(`${match[2]}${(match[3] ?? '').padEnd(DECIMAL_PLACES, '0')}`);
  return (match[1] === '-' ? -value : value) as Decimal;
}

/** The shortest decimal string of a value (`1.5`, not `1.500000000000`); throws RangeError beyond `numeric(38,12)`. */
export function formatDecimal(value: Decimal): string {
  return fixed(value).replace(/\.?0+$/, '');
}

/** A whole number, such as a count of tokens, as a decimal; throws RangeError unless it is a safe integer. */
export function fromInteger(value: number): Decimal {
  return times(ONE, value);
}

/** a + b. */
export function add(a: Decimal, b: Decimal): Decimal {
  return (a + b) as Decimal;
}

/** a − b. */
export function subtract(a: Decimal, b: Decimal): Decimal {
  return (a - b) as Decimal;
}

/** The sum of all values; 0 for none. */
export function sum(values: Iterable<Decimal>): Decimal {
  let total = 0n;
  for (const value of values) total += value;
  return total as Decimal;
}

/** Price × a whole number of units, exact: the way of the hot path. Throws RangeError unless `count` is a safe integer. */
export function times(price: Decimal, count: number): Decimal {
  if (!Number.isSafeInteger(count)) throw new RangeError(`Not a whole number: ${count}.`);
  return (price * BigInt(count)) as Decimal;
}

/** a × b, rounded once to 12 places. */
export function multiply(a: Decimal, b: Decimal, rounding: Rounding = 'halfEven'): Decimal {
  return roundDivide(a * b, ONE, rounding) as Decimal;
}

/** −1, 0 or 1 when a is less than, equal to, greater than b: for sorting. */
export function compare(a: Decimal, b: Decimal): -1 | 0 | 1 {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The smaller of two. */
export function min(a: Decimal, b: Decimal): Decimal {
  return a < b ? a : b;
}

/** The larger of two. */
export function max(a: Decimal, b: Decimal): Decimal {
  return a > b ? a : b;
}

/**
 * numerator ÷ denominator (> 0) as a whole number, rounded once. The one place where Lintel rounds money: keep a product or quotient
 * exact as a fraction until here, since rounding twice can cross a tie.
 */
export function roundDivide(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  if (denominator <= 0n) throw new RangeError('Cannot divide by zero or a negative number.');
  const quotient = numerator / denominator;
  const rest = numerator % denominator;
  if (rest === 0n) return quotient;
  const negative = rest < 0n;
  if (rounding === 'ceil') return negative ? quotient : quotient + 1n;
  if (rounding === 'floor') return negative ? quotient - 1n : quotient;
  const twice = (negative ? -rest : rest) * 2n;
  const away = twice > denominator || (twice === denominator && (rounding === 'halfExpand' || (quotient & 1n) === 1n));
  if (!away) return quotient;
  return negative ? quotient - 1n : quotient + 1n;
}

/**
 * Millionths of a currency unit, as a plain bigint: what leases and limit counters count in, small enough for a PostgreSQL
 * `bigint` (9.2 × 10¹² units). Reservations round up (`ceil`), so that a reservation is never below what it stands for.
 */
export function toMicros(value: Decimal, rounding: Rounding): bigint {
  return roundDivide(value, PER_MICRO, rounding);
}

/** The decimal of so many millionths. */
export function fromMicros(micros: bigint): Decimal {
  return (micros * PER_MICRO) as Decimal;
}

/** The amount in the currency's minor unit (cents, yen), rounded once; throws RangeError for an unknown currency. */
export function toMinor(amount: Decimal, currency: string, rounding: Rounding): bigint {
  return roundDivide(amount, 10n ** BigInt(DECIMAL_PLACES - currencyExponent(currency)), rounding);
}

/** The decimal amount of so many minor units; throws RangeError for an unknown currency. */
export function fromMinor(minor: bigint, currency: string): Decimal {
  return (minor * 10n ** BigInt(DECIMAL_PLACES - currencyExponent(currency))) as Decimal;
}

/**
 * An amount as invoices write it: with the currency's decimals (`5.00` USD, `645` JPY, `1.250` BHD), and more only where the value
 * itself has more (a unit price of `0.00015`). Throws RangeError for an unknown currency.
 */
export function formatAmount(amount: Decimal, currency: string): string {
  const [whole = '', fraction = ''] = fixed(amount).split('.');
  const shown = fraction.replace(/0+$/, '').padEnd(currencyExponent(currency), '0');
  return shown === '' ? whole : `${whole}.${shown}`;
}

/** True for an active ISO 4217 currency code that has a minor unit (not metals, not XXX or XTS), upper case. */
export function isCurrency(code: string): boolean {
  return exponents.has(code);
}

/** All codes that {@link isCurrency} accepts, in alphabetical order. */
export function currencies(): string[] {
  return [...exponents.keys()].sort();
}

/**
 * Decimals of a currency's minor unit by ISO 4217 (list one with amendments to the start of 2026). Our own table, because ICU, hence
 * `Intl.NumberFormat`, answers by daily use and disagrees with ISO (IQD, HUF, COP, IDR and others). Throws RangeError for an unknown code.
 */
export function currencyExponent(code: string): number {
  const exponent = exponents.get(code);
  if (exponent === undefined) {
    throw new RangeError(`Unknown currency ${JSON.stringify(code)}: an ISO 4217 code such as USD is needed.`);
  }
  return exponent;
}

declare const scale: unique symbol;

const ONE = 1_000_000_000_000n as Decimal;
const PER_MICRO = 1_000_000n;
const LIMIT = 10n ** 38n;
const decimalParts = /^(-?)(0|[1-9]\d{0,25})(?:\.(\d{1,12}))?$/;

/** With all twelve places. */
function fixed(value: Decimal): string {
  if (value >= LIMIT || value <= -LIMIT)
    throw new RangeError('The amount is too large: more than 26 digits before the point.');
  const digits = (value < 0n ? -value : value).toString().padStart(DECIMAL_PLACES + 1, '0');
  const at = digits.length - DECIMAL_PLACES;
  return `${value < 0n ? '-' : ''}${digits.slice(0, at)}.${digits.slice(at)}`;
}

const codesByExponent: readonly [number, string][] = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'],
  [
    2,
    `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP
    CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD
    KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
    PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU
    UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
  [4, 'CLF UYW'],
];

const exponents = new Map(
  codesByExponent.flatMap(([exponent, codes]) => codes.split(/\s+/).map((code): [string, number] => [code, exponent])),
);
