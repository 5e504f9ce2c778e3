import type { Slot } from './describe-slots.ts';
import { around, type Claim, type Draft, grantClaims, isUsed, nearness, openSlots } from './draft.ts';
import type { DateSpan } from './read-dates.ts';
import { type DurationSpan, durationIn, formatDuration } from './read-durations.ts';
import type { NumberSpan } from './read-numbers.ts';
import { convertMetric, secondsOf } from './read-units.ts';
import type { Span } from './types.ts';

const AT_MOST =
  /(?:under|below|less than|at most|up to|no more than|max(?:imum)?(?: of)?|cheaper than|within|not exceed(?:ing)?|不超过|不高于|低于|最多|至多|少于|小于|最高)\s*(?:US)?[$¥€£￥]?$/i;
const AT_LEAST =
  /(?:over|above|more than|at least|min(?:imum)?(?: of)?|greater than|higher than|不低于|不少于|高于|超过|至少|最少|大于|最低)\s*(?:US)?[$¥€£￥]?$/i;
const AT_MOST_AFTER = /^\s*(?:[之以](?:下|内)|or (?:less|fewer|under|below|cheaper)|max\b|封顶)/i;
const AT_LEAST_AFTER = /^\s*(?:[之以]上|or (?:more|above|over|higher)|起|\+)/i;
const BOUNDS = [
  ['to', AT_MOST, AT_MOST_AFTER],
  ['from', AT_LEAST, AT_LEAST_AFTER],
] as const;
const RANGE = /^\s*(?:-|–|—|~|～|to|and|到|至)\s*[$¥€£￥]?$/i;

/** Units that count one kind of thing, which no other count takes. */
const COUNTED: ReadonlySet<string> = new Set(['person', 'child', 'night', 'star', 'room', 'floor', 'page']);

type Bound = { readonly bound: 'from' | 'to' | undefined; readonly covers: Span };

/** The scores a claim needs: the only number for a required slot stands by itself, an optional slot needs a word or unit that names it. */
const REQUIRED_SCORE = 1;
const OPTIONAL_SCORE = 2;

/** Fills number, integer and duration slots from the numbers and durations of a message, by unit, nearby words and bounds. */
export function fillNumbers(draft: Draft, past: boolean): void {
  const slots = openSlots(
    draft,
    (slot) => slot.form === 'number' || slot.form === 'integer' || slot.form === 'duration',
  );
  if (slots.length === 0) return;
  const { dates, durations } = draft.message.temporals(past);
  const claims: Claim[] = [];
  for (const slot of slots) {
    for (const duration of durations) claims.push(...claimDuration(draft, slot, duration));
    for (const range of dates) claims.push(...claimRange(draft, slot, range));
    if (slot.form === 'duration') continue;
    for (const [i, number] of draft.message.numbers.entries()) {
      if (durations.some((duration) => duration.numbers.includes(number))) continue;
      claims.push(...claimNumber(draft, slot, number, boundOf(draft, i)));
    }
    for (const entity of draft.message.entities) {
      const digits = /^#?(\d{1,15})$/.exec(entity.value)?.[1];
      if (entity.kind === 'code' && digits !== undefined)
        claims.push(...claimNumber(draft, slot, plain(entity, Number(digits)), { bound: undefined, covers: entity }));
    }
  }
  grantClaims(
    draft,
    claims.filter((claim) => claim.score >= (claim.slot.required ? REQUIRED_SCORE : OPTIONAL_SCORE)),
  );
  const left = openSlots(draft, (slot) => slots.includes(slot));
  const [only] = left;
  if (left.length === 1 && only !== undefined && !slots.some((other) => other !== only && other.side !== undefined))
    grantClaims(
      draft,
      claims.filter(
        (claim) =>
          claim.slot === only &&
          claim.score > 0 &&
          standsAlone(draft, claim.span) &&
          (only.side === undefined || only.units.size === 0 || only.units.has('item')),
      ),
    );
}

/** `2pm to 3:30pm` gives the length, where the tool asks for that and no end. */
function claimRange(draft: Draft, slot: Slot, range: DateSpan): Claim[] {
  const unit = [...slot.units].find((name) => secondsOf(name) !== undefined);
  const { from, to } = range;
  if (
    unit === undefined ||
    from.time === undefined ||
    to?.time === undefined ||
    range.period ||
    draft.entry.slots.some((other) => other.form === 'date-time' && other.side === 'to')
  )
    return [];
  const date = from.date ?? to.date ?? draft.message.now.toPlainDate();
  const minutes = date
    .toPlainDateTime(from.time)
    .until((to.date ?? date).toPlainDateTime(to.time))
    .total('minutes');
  const value = durationIn({ start: 0, end: 0, parts: [{ value: minutes, unit: 'minute' }], numbers: [] }, unit);
  // The range itself stays with the start; its last character marks the length.
  return value === undefined || minutes <= 0 ? [] : claimValue(slot, { start: range.end, end: range.end }, value, 3);
}

function claimDuration(draft: Draft, slot: Slot, duration: DurationSpan): Claim[] {
  const near = nearness(draft, slot, duration);
  if (slot.form === 'duration') return [{ slot, span: duration, value: formatDuration(duration), score: 4 + near }];
  const unit = [...slot.units].find((name) => secondsOf(name) !== undefined || name === 'month' || name === 'year');
  if (unit === undefined) {
    const night =
      slot.units.has('night') && duration.parts.length === 1 && duration.parts[0]?.unit === 'day'
        ? duration.parts[0].value
        : undefined;
    return night === undefined ? [] : claimValue(slot, duration, night, 1.5 + near);
  }
  const value = durationIn(duration, unit);
  return value === undefined ? [] : claimValue(slot, duration, value, 4 + near);
}

function claimNumber(draft: Draft, slot: Slot, number: NumberSpan, { bound, covers }: Bound): Claim[] {
  // `5.5 pounds` is money or weight; where its unit already named a value of this tool, it is that.
  const named =
    slot.required && number.end > number.digits.end && isUsed(draft, { start: number.digits.end, end: number.end });
  const fit = named ? 1 : unitFit(slot, number);
  if (fit === undefined) return [];
  if (bound !== undefined && slot.side !== undefined && slot.side !== bound) return [];
  const near = nearness(draft, slot, number);
  if (number.weak && near < 2 && (fit < 3 || number.unit === 'item')) return [];
  const metric =
    number.unit === undefined
      ? undefined
      : [...slot.units]
          .map((unit) => convertMetric(number.value, number.unit ?? '', unit))
          .find((value) => value !== undefined);
  const scaled = metric ?? (number.unit === 'percent' && slot.maximum <= 1 ? number.value / 100 : number.value);
  const base = slot.required ? 1 : 0.5;
  const score = base + fit + near + (bound !== undefined && slot.side === bound ? 4 : 0);
  return claimValue(slot, number.digits, scaled, score).map((claim) => ({ ...claim, covers }));
}

/** How well a number's unit suits a slot; `undefined` where it contradicts it. */
function unitFit(slot: Slot, number: NumberSpan): number | undefined {
  const { unit } = number;
  if (unit === undefined || slot.units.has(unit)) return unit === undefined ? 0 : 4;
  if ([...slot.units].some((own) => convertMetric(1, unit, own) !== undefined)) return 3.5;
  if (unit === 'item') {
    // 个 counts anything, people too.
    if (slot.units.size === 0 || slot.units.has('person') || slot.units.has('room'))
      return slot.units.size === 0 ? 0.5 : 1.5;
    return slot.units.has('money') || slot.units.has('percent') ? undefined : 0;
  }
  const named = slot.nameWords.has(unit) || slot.hintWords.has(unit);
  if (named) return 2;
  const measured =
    unit === 'money' || unit === 'percent' || secondsOf(unit) !== undefined || unit === 'month' || unit === 'year';
  if (measured || COUNTED.has(unit)) return undefined;
  return slot.units.size === 0 ? 0 : undefined;
}

function claimValue(slot: Slot, span: Span, value: number, score: number): Claim[] {
  if (!Number.isFinite(value) || value < slot.minimum || value > slot.maximum) return [];
  if (slot.form === 'integer' && !Number.isInteger(value)) return [];
  return [{ slot, span: { start: span.start, end: span.end }, value, score }];
}

/** Whether a number is written as a lower or an upper bound or as one end of a range, and what it uses up with the words that say so. */
function boundOf(draft: Draft, i: number): Bound {
  const { numbers, text } = draft.message;
  const number = numbers[i] as NumberSpan;
  const { before, after } = around(draft, number);
  for (const [bound, leading, trailing] of BOUNDS) {
    const lead = leading.exec(before)?.[0].length ?? 0;
    const tail = trailing.exec(after)?.[0].length ?? 0;
    if (lead + tail > 0) return { bound, covers: { start: number.start - lead, end: number.end + tail } };
  }
  const next = numbers[i + 1];
  const previous = numbers[i - 1];
  const covers = { start: number.start, end: number.end };
  if (next !== undefined && RANGE.test(text.slice(number.end, next.start))) return { bound: 'from', covers };
  const upper = previous !== undefined && RANGE.test(text.slice(previous.end, number.start));
  return { bound: upper ? 'to' : undefined, covers };
}

function plain(span: Span, value: number): NumberSpan {
  return { start: span.start, end: span.end, value, weak: false, digits: span };
}

/** A number with a Han character right after it belongs to that word. */
function standsAlone(draft: Draft, span: Span): boolean {
  return !/^\p{Script=Han}/u.test(draft.message.text.slice(span.end, span.end + 2));
}
