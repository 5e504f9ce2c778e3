import { type Component, casual as english, type ParsedResult } from 'chrono-node/en';
import { casual as chinese } from 'chrono-node/zh/hans';
import { type DurationSpan, readDurations } from './read-durations.ts';
import type { NumberSpan } from './read-numbers.ts';
import { readCalendarWords, readDaysOfMonth, readRelativeDurations, type Today } from './read-relative-dates.ts';
import { assumeAfternoon, readChineseTimes, readSpokenTimes } from './read-times.ts';
import { overlaps, type Span } from './types.ts';

/** A civil date, a time of day, or both, as the text gives them. */
export type Moment = { readonly date?: Temporal.PlainDate; readonly time?: Temporal.PlainTime };

/** A date expression in the text. */
export type DateSpan = Span & {
  readonly from: Moment;
  readonly to?: Moment;
  /** True where `to` is the end of a named period (last month), not a second date the text gives. */
  readonly period: boolean;
  /** True for a whole month. */
  readonly month?: true;
  /** Set where only the day of the month (15号) or of the week (周三) is written: a range takes its month or week from its start. */
  readonly dayOfMonth?: number;
  readonly weekday?: number;
  /** `now`: a filler unless a time is asked for. */
  readonly present?: true;
  /** A bare hour, which takes the half of the day from the start of its range. */
  readonly loose?: true;
};

/** Everything temporal in a message. */
export type Temporals = { readonly dates: readonly DateSpan[]; readonly durations: readonly DurationSpan[] };

const PART_OF_DAY = /^(?:上午|早上|下午|晚上|夜晚?|中午|凌晨|morning|afternoon|evening|night)$/i;
const ORDINAL_DAY = /^(?:last|first|next|past|this) days?$/i;
const WORDS_LIKE_DATES = /^(?:may|march|mar|sun|sat|wed|second)$/;
const DATE_LEAD = /(?:^|\s)(?:in|on|for|since|by|until|till|of|from|to|next|this|last|before|after)\s+$/i;
const TIME_JOIN = /^[\s,，的]*(?:(?:at|on|around|by|from|@)\s+)?$/i;
const RANGE_JOIN = /^\s*(?:to|until|till|til|through|thru|-|–|—|~|～|到|至)\s*(?:the\s+)?$/i;
const LONG_RUNS = /[\d一二三四五六七八九十百千万零〇两]{9,}|[\s|,，]{4,}/g;
/** Stands for what was already read: no reader's pattern accepts it, not even as a blank. */
const MASK = '\ufffc';

/**
 * Reads the dates, times, periods and durations of a message in the tenant's zone: chrono-node for English and Chinese
 * dates, our own readers for what it leaves out. `past` chooses the last rather than the next `Friday` or `May 5`.
 */
export function readTemporals(
  text: string,
  numbers: readonly NumberSpan[],
  blocked: readonly Span[],
  now: Temporal.ZonedDateTime,
  past: boolean,
): Temporals {
  const today: Today = { now, date: now.toPlainDate() };
  const relative = readRelativeDurations(text, readDurations(text, numbers), today);
  let open = mask(text, [
    ...blocked,
    ...numbers.filter((n) => n.currency !== undefined || n.unit === 'percent'),
    ...relative.rest,
    ...relative.dates,
  ]);
  const found: DateSpan[] = [...relative.dates];
  const take = (spans: readonly DateSpan[]): void => {
    for (const span of spans) if (!found.some((other) => overlaps(other, span))) found.push(span);
    open = mask(open, spans);
  };
  const han = /\p{Script=Han}/u.test(open);
  take(
    readCalendarWords(open, today).map((span) =>
      past && span.weekday !== undefined ? backAWeek(span, today.date) : ahead(span, today.date),
    ),
  );
  if (han) take(readChineseTimes(open, today.date));
  else take(readSpokenTimes(open));
  // chrono tries a run of numerals, blanks or commas again from each of its characters.
  open = open.replace(LONG_RUNS, (run) => MASK.repeat(run.length));
  const noon = new Date(today.date.year, today.date.month - 1, today.date.day, 12);
  if (han) take(chinese.parse(open, noon).flatMap((result) => fromChrono(result, open, today, past)));
  if (/[a-z\d]/i.test(open)) take(english.parse(open, noon).flatMap((result) => fromChrono(result, open, today, past)));
  take(readDaysOfMonth(open, found, today));
  return {
    dates: joinSpans(
      text,
      found.sort((a, b) => a.start - b.start),
      today.date,
    ),
    durations: relative.rest,
  };
}

/** Replaces what was read by placeholders, so that the next reader neither sees it nor loses its place. */
function mask(text: string, spans: readonly Span[]): string {
  let masked = text;
  for (const { start, end } of spans)
    masked = masked.slice(0, start) + MASK.repeat(Math.max(0, end - start)) + masked.slice(end);
  return masked;
}

function fromChrono(result: ParsedResult, text: string, clock: Today, past: boolean): DateSpan[] {
  const today = clock.date;
  const start = result.index;
  const word = result.text;
  if (
    PART_OF_DAY.test(word) ||
    ORDINAL_DAY.test(word) ||
    (WORDS_LIKE_DATES.test(word) && !DATE_LEAD.test(text.slice(Math.max(0, start - 10), start)))
  )
    return [];
  const span = { start, end: start + word.length };
  const offset = result.start.isCertain('timezoneOffset') ? result.start.get('timezoneOffset') : null;
  const from = toZone(moment(result.start, word, today, past), offset, clock);
  if (from.date === undefined && from.time === undefined) return [];
  const has = (name: Component): boolean => result.start.isCertain(name);
  if (has('month') && !has('day') && from.date !== undefined && result.end === null) {
    const first = from.date.with({ day: 1 });
    return [
      {
        ...span,
        from: { date: first },
        to: { date: first.add({ months: 1 }).subtract({ days: 1 }) },
        period: true,
        month: true,
      },
    ];
  }
  if (/weekend$/i.test(word) && from.date !== undefined)
    return [{ ...span, from, to: { date: from.date.add({ days: 1 }) }, period: true }];
  if (!result.end)
    return [
      { ...span, from, period: false, ...(has('hour') && !has('meridiem') && !has('day') ? { loose: true } : {}) },
    ];
  let to = toZone(moment(result.end, word, today, past), offset, clock);
  // chrono moves `9 to 5` to the next morning before the bare hour is read as the afternoon.
  if (from.time !== undefined && to.time !== undefined && result.end.get('hour') !== to.time.hour)
    to = { time: to.time };
  if (to.date !== undefined && from.date !== undefined && Temporal.PlainDate.compare(to.date, from.date) < 0) {
    to = { ...to, date: result.end.isCertain('day') ? to.date.add({ years: 1 }) : to.date.add({ weeks: 1 }) };
  }
  return [{ ...span, from, to: inherit(from, to), period: false }];
}

function moment(parts: ParsedResult['start'], word: string, today: Temporal.PlainDate, past: boolean): Moment {
  const has = (name: Component): boolean => parts.isCertain(name);
  const get = (name: Component): number => parts.get(name) ?? 0;
  const dated = has('day') || has('weekday') || has('month');
  let date = dated ? Temporal.PlainDate.from({ year: get('year'), month: get('month'), day: get('day') }) : undefined;
  if (date !== undefined && has('month') && !has('year'))
    date = nearestYear(date.with({ year: today.year }), today, past, has('day'));
  if (date !== undefined && has('weekday') && !has('day') && !/next|last|this|past|coming|week/i.test(word))
    date = nearestWeekday(get('weekday') || 7, today, past);
  if (!has('hour')) return date === undefined ? {} : { date };
  const bare =
    !has('meridiem') &&
    !/noon|midnight|morning|evening|night|afternoon|am\b|\b0\d:/i.test(word) &&
    parts.get('meridiem') !== 1;
  const hour = bare ? assumeAfternoon(get('hour')) : get('hour');
  const time = new Temporal.PlainTime(hour % 24, get('minute'), has('second') ? get('second') : 0);
  return date === undefined ? { time } : { date, time };
}

/** A moment written with its own offset (`2026-03-10T14:00Z`, `3pm EST`), in the tenant's zone. */
function toZone(moment: Moment, offsetMinutes: number | null, today: Today): Moment {
  if (moment.time === undefined || offsetMinutes === null) return moment;
  const utc = (moment.date ?? today.date).toPlainDateTime(moment.time).subtract({ minutes: offsetMinutes });
  const local = utc.toZonedDateTime('UTC').withTimeZone(today.now.timeZoneId);
  return { date: local.toPlainDate(), time: local.toPlainTime() };
}

function nearestYear(
  date: Temporal.PlainDate,
  today: Temporal.PlainDate,
  past: boolean,
  exact: boolean,
): Temporal.PlainDate {
  const order = Temporal.PlainDate.compare(date, today);
  const thisMonth = date.month === today.month && !exact;
  if (past) return order > 0 && !thisMonth ? date.subtract({ years: 1 }) : date;
  return order < 0 && !thisMonth ? date.add({ years: 1 }) : date;
}

function nearestWeekday(weekday: number, today: Temporal.PlainDate, past: boolean): Temporal.PlainDate {
  const days = (weekday - today.dayOfWeek + 7) % 7;
  return today.add({ days: past && days > 0 ? days - 7 : days });
}

function ahead(span: DateSpan, today: Temporal.PlainDate): DateSpan {
  return span.weekday === undefined ? span : { ...span, from: { date: nearestWeekday(span.weekday, today, false) } };
}

function backAWeek(span: DateSpan, today: Temporal.PlainDate): DateSpan {
  return { ...span, from: { date: nearestWeekday(span.weekday ?? 1, today, true) } };
}

/** Joins a date with the time beside it, then two moments with `to` between them into a range. */
function joinSpans(text: string, spans: readonly DateSpan[], today: Temporal.PlainDate): DateSpan[] {
  const whole: DateSpan[] = [];
  for (const span of spans) {
    const before = whole.at(-1);
    const complement =
      before !== undefined && isDateOnly(before) !== isDateOnly(span) && isTimeOnly(before) !== isTimeOnly(span);
    if (complement && !before.period && !span.period && TIME_JOIN.test(text.slice(before.end, span.start))) {
      whole[whole.length - 1] = {
        ...span,
        start: before.start,
        end: span.end,
        from: { ...before.from, ...span.from },
        ...(span.to ? { to: inherit({ ...before.from, ...span.from }, span.to) } : {}),
      };
    } else whole.push(span);
  }
  const ranges: DateSpan[] = [];
  for (const span of whole) {
    const before = ranges.at(-1);
    const gap = before === undefined ? '' : text.slice(before.end, span.start);
    const between =
      before !== undefined &&
      /^\s+and\s+$/i.test(gap) &&
      /between\s+$/i.test(text.slice(Math.max(0, before.start - 10), before.start));
    if (
      before !== undefined &&
      (before.to === undefined || before.period) &&
      (span.to === undefined || span.period) &&
      (RANGE_JOIN.test(gap) || between)
    ) {
      ranges[ranges.length - 1] = toRange(before, span, today);
    } else ranges.push(span);
  }
  return ranges;
}

function toRange(a: DateSpan, b: DateSpan, today: Temporal.PlainDate): DateSpan {
  let to: Moment = b.period && b.to !== undefined ? b.to : b.from;
  const from = a.from.date === undefined && to.date !== undefined ? { ...a.from, date: to.date } : a.from;
  const start = from.date ?? today;
  if (b.dayOfMonth !== undefined) {
    const month = b.dayOfMonth >= start.day ? start : start.add({ months: 1 });
    to = { ...to, date: month.with({ day: b.dayOfMonth }) };
  } else if (b.weekday !== undefined) to = { ...to, date: nearestWeekday(b.weekday, start, false) };
  if (
    b.loose &&
    to.time !== undefined &&
    from.time !== undefined &&
    Temporal.PlainTime.compare(to.time, from.time) < 0 &&
    to.time.hour < 12
  ) {
    to = { ...to, time: to.time.add({ hours: 12 }) };
  }
  return { start: a.start, end: b.end, from, to: inherit(from, to), period: false };
}

/** The end of a range lies on its start's day unless it says otherwise, or on the next when it would come before it. */
function inherit(from: Moment, to: Moment): Moment {
  if (from.time === undefined || to.time === undefined || from.date === undefined)
    return to.date === undefined && from.date !== undefined ? { ...to, date: from.date } : to;
  if (to.date !== undefined && Temporal.PlainDate.compare(to.date, from.date) !== 0) return to;
  const early = Temporal.PlainTime.compare(to.time, from.time) < 0;
  return { time: to.time, date: early ? from.date.add({ days: 1 }) : from.date };
}

function isDateOnly(span: DateSpan): boolean {
  return span.from.date !== undefined && span.from.time === undefined;
}

function isTimeOnly(span: DateSpan): boolean {
  return span.from.time !== undefined && span.from.date === undefined;
}
