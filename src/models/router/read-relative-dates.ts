import type { DateSpan } from './read-dates.ts';
import type { DurationSpan } from './read-durations.ts';
import { parseHanNumber } from './read-numbers.ts';
import type { Span } from './types.ts';

const HAN_NUMBER = '[一二两三四五六七八九十]{1,3}';
const EN_PERIOD =
  /(?<![a-z])(?:the\s+)?(this|current|last|previous|past|next|coming)\s+(week|month|quarter|year)(?![a-z])/gi;
const EN_EDGE =
  /(?<![a-z])(?:the\s+)?(beginning|start|end) of (?:the\s+)?(this\s+|next\s+|last\s+)?(week|month|quarter|year)(?![a-z])/gi;
const EN_DAY = /(?<![a-z])(?:the\s+)?(day after tomorrow|day before yesterday)(?![a-z])/gi;
const EN_QUARTER = /(?<![\w-])(Q[1-4]|(?:first|second|third|fourth) quarter)(?:\s+(?:of\s+)?(\d{4}))?(?![\w-])/gi;
const EN_NOW = /(?<![a-z])(?:right now|immediately|now)(?![a-z])/gi;
const ZH_WEEK = /(?<!每)(上上个?|上个?|这个?|本|下下个?|下个?)?(?:周|星期|礼拜)([一二三四五六日天末])?/g;
const ZH_PERIOD = /(上上个?|上个?|这个?|本|当|下下个?|下个?)(月|季度)(?![底末初中\d])/g;
const ZH_YEAR = new RegExp(
  `(前|去|今|明|后)年(?:的?(\\d{1,2}|${HAN_NUMBER})月份?(?:(\\d{1,2}|${HAN_NUMBER})[日号])?)?`,
  'g',
);
const ZH_MONTH_DAY = new RegExp(`(上上个?|上个?|这个?|本|下下个?|下个?)月的?(\\d{1,2}|${HAN_NUMBER})[日号]`, 'g');
const ZH_EDGE = /(上个?|这个?|本|下个?)?(月|季度|年)(底|末|初|中)/g;
const ZH_QUARTER = /(?:(\d{4}|今|去|明)年的?)?(?:第?([一二三四1-4])季度|Q([1-4]))/g;
const ZH_NOW = /现在|立刻|马上|立即/g;
const EN_LEAD_BACK = /(?:^|\s)(?:the\s+)?(?:last|past|previous)\s+$/i;
const EN_LEAD_AHEAD = /(?:^|\s)(?:the\s+)?(?:next|coming|following)\s+$/i;
const ZH_LEAD_BACK = /(?:最近|过去|近|前)$/;
const ZH_LEAD_AHEAD = /(?:未来|接下来|今后)的?$/;

/** What relative expressions are counted from. */
export type Today = { readonly now: Temporal.ZonedDateTime; readonly date: Temporal.PlainDate };

/** Turns durations with a direction into dates (`in two weeks`, 三天后, 20 minutes ago) or periods (`last 7 days`, 最近一个月); the others stay durations. */
export function readRelativeDurations(
  text: string,
  durations: readonly DurationSpan[],
  today: Today,
): { dates: DateSpan[]; rest: DurationSpan[] } {
  const dates: DateSpan[] = [];
  const rest: DurationSpan[] = [];
  for (const duration of durations) {
    const before = text.slice(Math.max(0, duration.start - 16), duration.start);
    const after = text.slice(duration.end, duration.end + 16);
    const back = EN_LEAD_BACK.exec(before) ?? ZH_LEAD_BACK.exec(before);
    const ahead = EN_LEAD_AHEAD.exec(before) ?? ZH_LEAD_AHEAD.exec(before);
    const future = /^(?: from (?:now|today)| later|[之以]?后|[之以]?内|过后)/i.exec(after);
    const past = /^(?: ago|[之以]?前)/i.exec(after);
    const into = /(?:^|\s)(?:in|within)(?:\s+about)?\s+$/i.exec(before) ?? /(?:再过|过)$/.exec(before);
    if (back !== null && past === null) dates.push(toPeriod(duration, -1, back[0].length, today));
    else if (ahead !== null && future === null) dates.push(toPeriod(duration, 1, ahead[0].length, today));
    else if (past !== null) dates.push(toMoment(duration, -1, 0, past[0].length, today));
    else if (future !== null) dates.push(toMoment(duration, 1, into?.[0].length ?? 0, future[0].length, today));
    else if (into !== null) dates.push(toMoment(duration, 1, into[0].trimStart().length, 0, today));
    else rest.push(duration);
  }
  return { dates, rest };
}

/** Reads the periods and calendar edges that chrono does not: this quarter, 上个月, 月底, 下下周三, `Q2 2026`, `end of next month`. */
export function readCalendarWords(text: string, today: Today): DateSpan[] {
  const spans: DateSpan[] = [];
  const { date } = today;
  const add = (match: RegExpExecArray, span: Omit<DateSpan, 'start' | 'end'> | undefined): void => {
    const at = { start: match.index, end: match.index + match[0].length };
    if (span !== undefined && !spans.some((other) => other.start < at.end && at.start < other.end))
      spans.push({ ...at, ...span });
  };
  for (const m of text.matchAll(EN_NOW))
    add(m, { from: { date, time: today.now.toPlainTime() }, period: false, present: true });
  for (const m of text.matchAll(ZH_NOW))
    add(m, { from: { date, time: today.now.toPlainTime() }, period: false, present: true });
  for (const m of text.matchAll(EN_DAY))
    add(m, { from: { date: date.add({ days: /after/i.test(m[1] ?? '') ? 2 : -2 }) }, period: false });
  for (const m of text.matchAll(EN_EDGE))
    add(m, edge(m[3] ?? '', direction(m[2]), /^end$/i.test(m[1] ?? '') ? 'last' : 'first', date));
  for (const m of text.matchAll(EN_PERIOD)) add(m, period(m[2] ?? '', direction(m[1]), date));
  for (const m of text.matchAll(EN_QUARTER))
    add(m, quarter(quarterNumber(m[1] ?? ''), m[2] === undefined ? date.year : Number(m[2])));
  for (const m of text.matchAll(ZH_MONTH_DAY)) add(m, monthDay(date.add({ months: direction(m[1]) }), m[2] ?? ''));
  for (const m of text.matchAll(ZH_QUARTER))
    add(
      m,
      quarter(
        '零一二三四'.indexOf(m[2] ?? '') > 0 ? '零一二三四'.indexOf(m[2] ?? '') : Number(m[2] ?? m[3]),
        yearOf(m[1], date),
      ),
    );
  for (const m of text.matchAll(ZH_YEAR)) add(m, chineseYear(m, date));
  for (const m of text.matchAll(ZH_EDGE))
    add(m, edge(m[2] ?? '', direction(m[1]), m[3] === '初' ? 'first' : m[3] === '中' ? 'middle' : 'last', date));
  for (const m of text.matchAll(ZH_PERIOD)) add(m, period(m[2] ?? '', direction(m[1]), date));
  for (const m of text.matchAll(ZH_WEEK)) add(m, chineseWeek(m[1], m[2], date));
  return spans;
}

/** Reads a bare day of the month (15号, `the 15th`) outside the ranges already taken; the caller decides which month it is in. */
export function readDaysOfMonth(text: string, taken: readonly Span[], today: Today): DateSpan[] {
  const spans: DateSpan[] = [];
  const pattern = new RegExp(
    `(?<![\\d月第])(\\d{1,2}|${HAN_NUMBER})[号日](?![线楼店码员])|(?<![a-z])(?:the\\s+)?(\\d{1,2})(?:st|nd|rd|th)(?![a-z]| (?:of|floor|street|avenue|place|time|edition|anniversary))`,
    'gi',
  );
  for (const match of text.matchAll(pattern)) {
    const at = { start: match.index, end: match.index + match[0].length };
    const word = match[1] ?? match[2] ?? '';
    const day = /^\d/.test(word) ? Number(word) : (parseHanNumber(word) ?? 0);
    if (day < 1 || day > 31 || taken.some((span) => span.start < at.end && at.start < span.end)) continue;
    const month = day >= today.date.day ? today.date : today.date.add({ months: 1 });
    spans.push({ ...at, from: { date: month.with({ day }) }, period: false, dayOfMonth: day });
  }
  return spans;
}

/** First to last day of the week (Monday first), month, quarter or year that lies `offset` of them from `date`'s own. */
function period(unit: string, offset: number, date: Temporal.PlainDate): Omit<DateSpan, 'start' | 'end'> {
  if (/^week$/i.test(unit)) {
    const monday = date.subtract({ days: date.dayOfWeek - 1 }).add({ weeks: offset });
    return { from: { date: monday }, to: { date: monday.add({ days: 6 }) }, period: true };
  }
  if (/^(?:quarter|季度)$/i.test(unit)) {
    const shifted = date.add({ months: 3 * offset });
    return quarter(Math.ceil(shifted.month / 3), shifted.year);
  }
  const months = /^(?:year|年)$/i.test(unit) ? 12 : 1;
  const first =
    months === 12 ? new Temporal.PlainDate(date.year + offset, 1, 1) : date.with({ day: 1 }).add({ months: offset });
  return {
    from: { date: first },
    to: { date: first.add({ months }).subtract({ days: 1 }) },
    period: true,
    ...(months === 1 ? { month: true } : {}),
  };
}

function quarter(number: number, year: number): Omit<DateSpan, 'start' | 'end'> {
  const first = new Temporal.PlainDate(year, number * 3 - 2, 1);
  return { from: { date: first }, to: { date: first.add({ months: 3 }).subtract({ days: 1 }) }, period: true };
}

function edge(
  unit: string,
  offset: number,
  which: 'first' | 'middle' | 'last',
  date: Temporal.PlainDate,
): Omit<DateSpan, 'start' | 'end'> | undefined {
  const whole = period(unit === '月' ? 'month' : unit, offset, date);
  const day =
    which === 'first' ? whole.from.date : which === 'last' ? whole.to?.date : whole.from.date?.add({ days: 14 });
  return day === undefined ? undefined : { from: { date: day }, period: false };
}

function chineseWeek(
  prefix: string | undefined,
  day: string | undefined,
  date: Temporal.PlainDate,
): Omit<DateSpan, 'start' | 'end'> | undefined {
  if (day === undefined) return prefix === undefined ? undefined : period('week', direction(prefix), date);
  const monday = date.subtract({ days: date.dayOfWeek - 1 }).add({ weeks: direction(prefix) });
  const weekday = day === '末' ? 6 : '一二三四五六日'.indexOf(day === '天' ? '日' : day) + 1;
  const found = monday.add({ days: weekday - 1 });
  if (day === '末') return { from: { date: found }, to: { date: found.add({ days: 1 }) }, period: true };
  return prefix === undefined
    ? { from: { date: found }, period: false, weekday }
    : { from: { date: found }, period: false };
}

function chineseYear(match: RegExpExecArray, date: Temporal.PlainDate): Omit<DateSpan, 'start' | 'end'> | undefined {
  const [, word = '', monthWord, dayWord] = match;
  const year = yearOf(word, date);
  if (monthWord === undefined) return period('year', year - date.year, date);
  const month = number(monthWord);
  if (month < 1 || month > 12) return undefined;
  const first = new Temporal.PlainDate(year, month, 1);
  return dayWord === undefined ? period('month', 0, first) : monthDay(first, dayWord);
}

function monthDay(month: Temporal.PlainDate, day: string): Omit<DateSpan, 'start' | 'end'> | undefined {
  const value = number(day);
  return value >= 1 && value <= 31 ? { from: { date: month.with({ day: value }) }, period: false } : undefined;
}

function number(word: string): number {
  return /^\d/.test(word) ? Number(word) : (parseHanNumber(word) ?? 0);
}

function yearOf(word: string | undefined, date: Temporal.PlainDate): number {
  if (word !== undefined && /^\d/.test(word)) return Number(word);
  return date.year + ({ 前: -2, 去: -1, 今: 0, 明: 1, 后: 2 }[word ?? ''] ?? 0);
}

function quarterNumber(word: string): number {
  return /^q/i.test(word)
    ? Number(word.charAt(1))
    : ['first', 'second', 'third', 'fourth'].indexOf(word.toLowerCase().split(' ')[0] ?? '') + 1;
}

function direction(word: string | undefined): number {
  if (word === undefined) return 0;
  if (/^上上/.test(word)) return -2;
  if (/^下下/.test(word)) return 2;
  if (/^(?:last|previous|past|上)/i.test(word)) return -1;
  return /^(?:next|coming|下)/i.test(word) ? 1 : 0;
}

function toMoment(duration: DurationSpan, sign: 1 | -1, before: number, after: number, today: Today): DateSpan {
  const at = { start: duration.start - before, end: duration.end + after };
  const exact = duration.parts.some(({ unit }) => unit === 'hour' || unit === 'minute' || unit === 'second');
  const moved = shift(today.now, duration, sign);
  const date = moved.toPlainDate();
  return { ...at, from: exact ? { date, time: moved.toPlainTime() } : { date }, period: false };
}

function toPeriod(duration: DurationSpan, sign: 1 | -1, before: number, today: Today): DateSpan {
  const moved = shift(today.now, duration, sign).toPlainDate();
  const at = { start: duration.start - before, end: duration.end };
  const [from, to] = sign < 0 ? [moved, today.date] : [today.date, moved];
  return { ...at, from: { date: from }, to: { date: to }, period: true };
}

function shift(now: Temporal.ZonedDateTime, duration: DurationSpan, sign: 1 | -1): Temporal.ZonedDateTime {
  return duration.parts.reduce((moment, { value, unit }) => {
    const seconds = { second: 1, minute: 60, hour: 3_600 }[unit];
    if (seconds !== undefined) return moment.add({ seconds: sign * Math.round(value * seconds) });
    if (Number.isInteger(value)) return moment.add({ [`${unit}s`]: sign * value });
    return moment.add({ days: sign * Math.round(value * ({ day: 1, week: 7, month: 30, year: 365 }[unit] ?? 0)) });
  }, now);
}
