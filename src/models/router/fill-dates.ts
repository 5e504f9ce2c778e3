import type { Slot } from './describe-slots.ts';
import { around, assign, type Draft, isUsed, nearness, openSlots } from './draft.ts';
import type { DateSpan, Moment } from './read-dates.ts';
import { durationIn } from './read-durations.ts';
import type { Span } from './types.ts';

const START_BEFORE =
  /(?:from|since|start(?:ing|s)?(?: on| at| from)?|begin(?:ning|s)?(?: on| at)?|after|check(?:ing)?[ -]?in(?: on)?|leav(?:e|ing)(?: on)?|depart(?:ing|ure)?(?: on)?|arriv(?:e|ing)(?: on)?|pick(?:ing)? ?up(?: on)?|从|自|起始于|入住|出发)\s*(?:the\s+)?$/i;
const START_AFTER = /^\s*(?:起|开始|入住|出发|onwards?)/i;
const END_BEFORE =
  /(?:until|till|til|to|through|end(?:ing|s)?(?: on| at)?|return(?:ing)?(?: on)?|back(?: on)?|check(?:ing)?[ -]?out(?: on)?|finish(?:ing)?(?: on| at)?|到|至|截止到?|退房|返程|回程)\s*(?:the\s+)?$/i;
const END_AFTER = /^\s*(?:结束|退房|返回|返程|回来|离店|为止|截止)/;
const DUE_BEFORE =
  /(?:by|due|before|deadline(?: is| of|:)?|no later than|截止(?:日期|时间)?(?:是|为|到|:|：)?)\s*(?:on\s+)?(?:the\s+)?$/i;
const DUE_AFTER = /^\s*(?:[之以]?前|截止|到期)/;

type Pair = { readonly slot: Slot; readonly span: DateSpan; readonly score: number };

/**
 * Fills date, time, date-time and month slots from the date expressions of a message; pairs of slots take the two ends of a
 * range or period. Returns the day or time that a date-time slot could not take alone, for the turn that gives the rest.
 */
export function fillDates(draft: Draft, past: boolean): Moment {
  const slots = openSlots(draft, (slot) => isTemporal(slot));
  if (slots.length === 0) return {};
  const { dates } = draft.message.temporals(past);
  const spans = dates.filter((span) => !isUsed(draft, span));
  for (const span of spans) if (span.to !== undefined) fillPair(draft, slots, span);
  const pairs: Pair[] = [];
  for (const slot of openSlots(draft, (candidate) => slots.includes(candidate))) {
    for (const span of spans.filter(
      (candidate) => !isUsed(draft, candidate) && (slot.required || candidate.present === undefined),
    )) {
      const score = suit(draft, slot, span, slots, spans.length);
      if (score !== undefined) pairs.push({ slot, span, score });
    }
  }
  const taken = new Set<DateSpan>();
  for (const { slot, span } of pairs.toSorted((a, b) => b.score - a.score)) {
    // A date and a time slot share one expression that has both.
    const shared = taken.has(span) && !sharesPart(draft, slot, span);
    if (draft.values.has(slot) || (taken.has(span) && !shared)) continue;
    const value = formatMoment(draft, slot, complete(slot, { ...draft.hint, ...span.from }, spans), past);
    if (value === undefined) continue;
    assign(draft, slot, value, withCues(draft, span));
    taken.add(span);
  }
  fillEndFromDuration(draft, slots, past);
  const half = slots.some((slot) => slot.form === 'date-time' && !draft.values.has(slot));
  if (!half) return {};
  const waiting = spans.find((span) => !isUsed(draft, span) && !span.period);
  if (waiting !== undefined) draft.used.push(waiting);
  return waiting?.from ?? draft.hint;
}

/** Tells whether a slot takes a date or a time. */
function isTemporal(slot: Slot): boolean {
  return slot.form === 'date' || slot.form === 'date-time' || slot.form === 'time' || slot.form === 'month';
}

/** A range or period fills a start and an end slot together; a period alone stays open for single slots. */
function fillPair(draft: Draft, slots: readonly Slot[], span: DateSpan): void {
  if (span.to === undefined) return;
  for (const form of ['date-time', 'date', 'time', 'month'] as const) {
    const group = slots.filter((slot) => slot.form === form && !draft.values.has(slot));
    const end = group.find((slot) => slot.side === 'to') ?? (group.length === 2 ? group[1] : undefined);
    const start =
      group.find((slot) => slot.side === 'from' && slot !== end) ??
      group.find((slot) => slot !== end && slot.side !== 'due');
    if (start === undefined || end === undefined) continue;
    const first = formatMoment(draft, start, span.from, false, span.period);
    const last = formatMoment(draft, end, span.to, false, span.period, true);
    if (first === undefined || last === undefined) continue;
    assign(draft, start, first, span);
    assign(draft, end, last, span);
  }
}

function suit(draft: Draft, slot: Slot, span: DateSpan, slots: readonly Slot[], count: number): number | undefined {
  const { date, time } = span.from;
  if (slot.form === 'time' && time === undefined) return undefined;
  if (slot.form === 'date' && date === undefined && slots.length > 1) return undefined;
  const { before, after } = around(draft, span);
  let score = 1 + nearness(draft, slot, span);
  if (slot.form === 'date-time' && time !== undefined) score += 1;
  const cue =
    DUE_BEFORE.test(before) || DUE_AFTER.test(after)
      ? 'due'
      : END_BEFORE.test(before) || END_AFTER.test(after)
        ? 'to'
        : START_BEFORE.test(before) || START_AFTER.test(after)
          ? 'from'
          : undefined;
  const paired = slots.some((other) => other !== slot && other.form === slot.form);
  if (cue !== undefined && slot.side === cue) score += 4;
  else if (cue === 'due' && slot.side === 'to') score += 2;
  else if (cue === 'to' && slot.side === 'due') score += 1;
  else if (cue !== undefined && slot.side !== undefined && paired) score -= 3;
  else if (cue === undefined && paired && (slot.side === 'to' || slot.side === 'due'))
    score -= slot.side === 'due' ? 0.2 : count > 1 ? 0.5 : 2.2;
  return score > 0 ? score : undefined;
}

/** The expression together with the words that say which end it is (`入住`, `by`, 之前). */
function withCues(draft: Draft, span: DateSpan): Span {
  const { before, after } = around(draft, span);
  const tail = Math.max(...[START_AFTER, END_AFTER, DUE_AFTER].map((cue) => cue.exec(after)?.[0].length ?? 0));
  const lead = Math.max(...[START_BEFORE, END_BEFORE, DUE_BEFORE].map((cue) => cue.exec(before)?.[0].length ?? 0));
  return { start: span.start - lead, end: span.end + tail };
}

function sharesPart(draft: Draft, slot: Slot, span: DateSpan): boolean {
  const filled = draft.open.filter((other) => isTemporal(other) && draft.values.has(other));
  const complements =
    filled.length === 1 &&
    ((slot.form === 'time' && filled[0]?.form === 'date') || (slot.form === 'date' && filled[0]?.form === 'time'));
  return !(complements && span.from.date !== undefined && span.from.time !== undefined);
}

/** A time alone takes the day written elsewhere in the message, and a day the time. */
function complete(slot: Slot, moment: Moment, spans: readonly DateSpan[]): Moment {
  if (slot.form !== 'date-time' || (moment.date !== undefined && moment.time !== undefined)) return moment;
  const other = spans.filter(
    (span) => (moment.date === undefined) === (span.from.time === undefined) && span.from.date !== moment.date,
  );
  return other.length === 1 && other[0] !== undefined ? { ...other[0].from, ...moment } : moment;
}

/** The moment in the slot's format; a date-time without a time of day is none, unless it bounds a period. */
function formatMoment(
  draft: Draft,
  slot: Slot,
  moment: Moment,
  past: boolean,
  period = false,
  end = false,
): string | undefined {
  const { now } = draft.message;
  const today = now.toPlainDate();
  if (slot.form === 'time') return moment.time?.toString({ smallestUnit: 'second' });
  if (slot.form === 'month') return moment.date?.toPlainYearMonth().toString();
  if (slot.form === 'date') return (moment.date ?? (moment.time === undefined ? undefined : today))?.toString();
  const time =
    moment.time ??
    (period ? (end ? Temporal.PlainTime.from('23:59:59') : Temporal.PlainTime.from('00:00')) : undefined);
  if (time === undefined) return undefined;
  let date = moment.date ?? today;
  if (moment.date === undefined && Temporal.PlainTime.compare(time, now.toPlainTime()) < 0 && !past)
    date = date.add({ days: 1 });
  return formatZoned(date.toZonedDateTime({ timeZone: now.timeZoneId, plainTime: time }));
}

function formatZoned(moment: Temporal.ZonedDateTime): string {
  return moment.toString({ timeZoneName: 'never', smallestUnit: 'second' });
}

/** A start and a length give the end, where the tool asks for an end and no length: `3pm for an hour`, `10 March, 3 nights`. */
function fillEndFromDuration(draft: Draft, slots: readonly Slot[], past: boolean): void {
  const end = slots.find(
    (slot) => slot.side === 'to' && (slot.form === 'date-time' || slot.form === 'date') && !draft.values.has(slot),
  );
  const start = slots.find((slot) => slot.form === end?.form && slot !== end && draft.values.has(slot));
  if (
    end === undefined ||
    start === undefined ||
    draft.open.some((slot) => slot.units.has('minute') || slot.units.has('hour') || slot.form === 'duration')
  )
    return;
  const begins = String(draft.values.get(start));
  const [duration] = draft.message.temporals(past).durations.filter((span) => !isUsed(draft, span));
  if (end.form === 'date') {
    const nights = draft.message.numbers.find((number) => number.unit === 'night');
    const days = nights?.value ?? (duration === undefined ? undefined : durationIn(duration, 'day'));
    const span = nights ?? duration;
    if (days === undefined || span === undefined || !Number.isInteger(days)) return;
    // A stay ends on the day after its last night; other spans of days include their last day.
    const last = Temporal.PlainDate.from(begins).add({ days: nights !== undefined || isStay(end) ? days : days - 1 });
    assign(draft, end, last.toString(), span);
    return;
  }
  const seconds = duration === undefined ? undefined : durationIn(duration, 'second');
  if (seconds === undefined || duration === undefined) return;
  const starts = Temporal.Instant.from(begins).toZonedDateTimeISO(draft.message.now.timeZoneId);
  assign(draft, end, formatZoned(starts.add({ seconds: Math.round(seconds) })), duration);
}

function isStay(slot: Slot): boolean {
  return slot.nameWords.has('out') || slot.nameWords.has('checkout') || /退房|离店|check-?out/i.test(slot.description);
}
