import { readCurrencyBefore, readUnit, type Unit } from './read-units.ts';
import { overlaps, type Span } from './types.ts';

/** A number in the text with the unit or currency written beside it. */
export type NumberSpan = Span & {
  readonly value: number;
  readonly unit?: Unit;
  /** ISO 4217 code, when a currency stands beside the number. */
  readonly currency?: string;
  /** True for `a`, `one` and 一, which are more often articles than counts. */
  readonly weak: boolean;
  /** Only the digits or number words, without unit and currency. */
  readonly digits: Span;
};

const SMALL: { readonly [word: string]: number } = {
  zero: 0,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  thirteen: 13,
  fourteen: 14,
  fifteen: 15,
  sixteen: 16,
  seventeen: 17,
  eighteen: 18,
  nineteen: 19,
  twenty: 20,
  thirty: 30,
  forty: 40,
  fifty: 50,
  sixty: 60,
  seventy: 70,
  eighty: 80,
  ninety: 90,
};
const SCALES: { readonly [word: string]: number } = {
  hundred: 100,
  thousand: 1_000,
  k: 1_000,
  million: 1_000_000,
  m: 1_000_000,
  billion: 1_000_000_000,
  bn: 1_000_000_000,
  dozen: 12,
  十: 10,
  百: 100,
  千: 1_000,
  万: 10_000,
  亿: 100_000_000,
};
const HAN_DIGITS = '零一二三四五六七八九';
const NUMBER_WORDS = `(?:${Object.keys(SMALL).join('|')})`;
const ENGLISH = `(?<![a-z])(?:${NUMBER_WORDS}|half|an?|couple|dozen)(?![A-Za-z'’])(?:[ -](?:and )?(?:${NUMBER_WORDS}|hundred|thousand|million|billion|dozen|half|couple|an?|of)(?![A-Za-z'’]))*`;
const DIGITS = String.raw`(?<![\w.])(?:(?<![\w)])[-−])?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?(?:(?:[kK]|bn|M)(?![A-Za-z])|\s?(?:hundred|thousand|million|billion|dozen)(?![A-Za-z])|\s?[百千]?[万亿]|[百千](?!克|米|瓦))?`;
const HAN = '[负零〇一二两三四五六七八九十百千万亿半]+';
const NUMBERS = new RegExp(`${DIGITS}|${HAN}|(?i:${ENGLISH})`, 'gu');

/** Characters of one number beyond this are not read as a number. */
const MAX_NUMBER_CHARS = 80;

/**
 * Reads every number of a text: digits with separators and scales (`1,200`, `1.5k`, 1.2万), English number words
 * (`three hundred and fifty`) and Chinese numerals (三百五十, 百分之十五), with the unit, percent sign or currency beside it.
 * Ranges in `blocked` (quoted text, identifiers, addresses) are left alone.
 */
export function readNumbers(text: string, blocked: readonly Span[]): NumberSpan[] {
  const found: NumberSpan[] = [];
  for (const match of text.matchAll(NUMBERS)) {
    const raw = match[0];
    const digits = { start: match.index, end: match.index + raw.length };
    if (raw.length > MAX_NUMBER_CHARS || blocked.some((span) => overlaps(span, digits))) continue;
    if (match.index < (found.at(-1)?.end ?? 0)) continue;
    const read = readValue(raw, text, digits);
    if (read === undefined) continue;
    const number = withSurroundings(text, read);
    const article = number.unit === undefined && /^an?$/i.test(text.slice(read.start, read.end));
    // 三亚, 万科: a single numeral right before another character is more often part of a name.
    const partOfName =
      number.unit === undefined &&
      raw.length === 1 &&
      /^\p{Script=Han}{2}/u.test(text.slice(read.start, read.start + 2));
    if (!article)
      found.push({ ...number, weak: number.weak || partOfName, digits: { start: read.start, end: read.end } });
  }
  return joinHalves(text, found);
}

/** Reads a Chinese numeral written with place characters (三百五十, 一万二, 〇) or digit by digit (二〇二六); `undefined` when it is none. */
export function parseHanNumber(raw: string): number | undefined {
  if (raw.startsWith('负')) {
    const positive = parseHanNumber(raw.slice(1));
    return positive === undefined ? undefined : -positive;
  }
  if (raw === '半') return 0.5;
  const chars = [...raw.replaceAll('〇', '零').replaceAll('两', '二')];
  if (chars.includes('半') || !chars.some((char) => HAN_DIGITS.includes(char) || char === '十')) return undefined;
  if (chars.length > 1 && chars.every((char) => HAN_DIGITS.includes(char))) {
    return chars.length <= 15 ? Number(chars.map((char) => HAN_DIGITS.indexOf(char)).join('')) : undefined;
  }
  let total = 0;
  let section = 0;
  let digit = 0;
  let lastScale = 1;
  for (const char of chars) {
    const value = HAN_DIGITS.indexOf(char);
    if (value >= 0) {
      digit = value;
      if (value === 0) lastScale = 1;
      continue;
    }
    const scale = SCALES[char] ?? 1;
    if (scale >= 10_000) {
      // 两亿三千万: 亿 multiplies all before it, 万 only what follows the 亿.
      total = char === '亿' ? (total + section + digit) * scale : total + (section + digit) * scale;
      section = 0;
    } else section += (digit === 0 ? 1 : digit) * scale;
    digit = 0;
    lastScale = scale;
  }
  // 一万二 is 12,000 and 三百五 is 350: a last digit without its place takes the next lower one.
  return total + section + (lastScale >= 100 ? digit * (lastScale / 10) : digit);
}

type Value = Span & { readonly value: number; readonly weak: boolean };

function readValue(raw: string, text: string, at: Span): Value | undefined {
  const first = raw.charAt(0);
  if (/[\d\-−]/.test(first)) return { ...at, value: parseDigits(raw), weak: false };
  if (/[a-z]/i.test(first)) return parseEnglish(raw, at);
  const before = text.slice(Math.max(0, at.start - 2), at.start);
  const after = text.charAt(at.end);
  if (/(?:周|星期|礼拜|万|之)$/.test(before) && !/分之$/.test(before)) return undefined;
  if (raw === '一' && /[下些般样直起定旦切共遍致边同并]/.test(after)) return undefined;
  if (raw === '零' && after === '下') return undefined;
  if (raw === '半' && !/[小个天年月]/.test(after)) return undefined;
  const value = parseHanNumber(raw);
  return value === undefined ? undefined : { ...at, value, weak: raw === '一' && !/第$/.test(before) };
}

function parseDigits(raw: string): number {
  const [, digits = '', scale = ''] = /^([-−]?[\d,.]+)\s?(.*)$/.exec(raw) ?? [];
  let value = Number(digits.replaceAll(',', '').replace('−', '-'));
  if (/^[a-z]/i.test(scale)) value *= SCALES[scale.toLowerCase()] ?? 1;
  else for (const char of scale) value *= SCALES[char] ?? 1;
  return Number(value.toPrecision(15));
}

function parseEnglish(raw: string, at: Span): Value | undefined {
  const words = raw.toLowerCase().split(/[ -]/);
  let total = 0;
  let section = 0;
  let used = 0;
  let seen = false;
  for (const [index, word] of words.entries()) {
    const small = SMALL[word];
    const scale = SCALES[word];
    const article = word === 'a' || word === 'an';
    if (small !== undefined) section += small;
    else if (scale !== undefined && word.length > 2) {
      section = (section === 0 ? 1 : section) * scale;
      if (scale >= 1_000) {
        total += section;
        section = 0;
      }
    } else if (word === 'half' && section <= 1) section = 0.5;
    else if (word === 'couple' && section <= 1) section = 2;
    else if (article && !seen) section = 1;
    else if (!(article && section === 0.5) && word !== 'and' && word !== 'of') break;
    seen = true;
    if (word !== 'and' && word !== 'of') used = words.slice(0, index + 1).join(' ').length;
  }
  const spoken = raw.slice(0, used).toLowerCase();
  return {
    start: at.start,
    end: at.start + used,
    value: total + section,
    weak: spoken === 'a' || spoken === 'an' || spoken === 'one',
  };
}

function withSurroundings(text: string, read: Value): Omit<NumberSpan, 'digits'> {
  let { start, end, value } = read;
  const before = text.slice(Math.max(0, start - 8), start);
  const hundredth = /百分之$/.exec(before);
  if (hundredth !== null) return { start: start - 3, end, value, unit: 'percent', weak: false };
  // 八折 leaves 80 % of the price, 八五折 85 %: both are read as what is taken off.
  if (text.charAt(end) === '折' && value > 0 && value < 100) {
    return {
      start,
      end: end + 1,
      value: Number((100 - (value < 10 ? value * 10 : value)).toPrecision(6)),
      unit: 'percent',
      weak: false,
    };
  }
  const minus = /(?:零下|\bminus |\bnegative )$/i.exec(before);
  if (minus !== null) {
    value = -value;
    start -= minus[0].length;
  }
  const sign = readCurrencyBefore(text, start);
  const unit = readUnit(text, end);
  if (sign !== undefined)
    return {
      start: sign.start,
      end: unit?.currency === sign.currency ? unit.end : end,
      value,
      unit: 'money',
      currency: sign.currency,
      weak: false,
    };
  if (unit === undefined) return { start, end, value, weak: read.weak };
  end = unit.end;
  if (unit.half) value += 0.5;
  return {
    start,
    end,
    value,
    unit: unit.unit,
    weak: read.weak,
    ...(unit.currency === undefined ? {} : { currency: unit.currency }),
  };
}

/** `an hour and a half` and 两年半: the half belongs to the number before it. */
function joinHalves(text: string, numbers: readonly NumberSpan[]): NumberSpan[] {
  const joined: NumberSpan[] = [];
  for (const number of numbers) {
    const before = joined.at(-1);
    if (
      before?.unit !== undefined &&
      number.value === 0.5 &&
      number.unit === undefined &&
      /^ and $/.test(text.slice(before.end, number.digits.start))
    ) {
      joined[joined.length - 1] = { ...before, value: before.value + 0.5, end: number.end };
    } else joined.push(number);
  }
  return joined;
}
