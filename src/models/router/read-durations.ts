import type { NumberSpan } from './read-numbers.ts';
import { secondsOf, type Unit } from './read-units.ts';
import type { Span } from './types.ts';

/** A length of time in the text, such as `1 hour 30 minutes`, 三天 or `two weeks`. */
export type DurationSpan = Span & {
  readonly parts: readonly { readonly value: number; readonly unit: Unit }[];
  readonly numbers: readonly NumberSpan[];
};

const TIME_UNITS: ReadonlySet<Unit> = new Set(['second', 'minute', 'hour', 'day', 'week', 'month', 'year']);
const BETWEEN_PARTS = /^(?:\s*|\s*,\s*|\s+and\s+|零|又)$/;

/** Joins the numbers that carry a unit of time into durations; larger units come first within one. */
export function readDurations(text: string, numbers: readonly NumberSpan[]): DurationSpan[] {
  const durations: DurationSpan[] = [];
  for (const number of numbers) {
    if (number.unit === undefined || !TIME_UNITS.has(number.unit) || isYearOrDay(text, number)) continue;
    const part = { value: number.value, unit: number.unit };
    const before = durations.at(-1);
    const larger = before?.parts.at(-1);
    const joins =
      before !== undefined &&
      larger !== undefined &&
      BETWEEN_PARTS.test(text.slice(before.end, number.start)) &&
      rank(larger.unit) > rank(part.unit);
    if (joins)
      durations[durations.length - 1] = {
        start: before.start,
        end: number.end,
        parts: [...before.parts, part],
        numbers: [...before.numbers, number],
      };
    else durations.push({ start: number.start, end: number.end, parts: [part], numbers: [number] });
  }
  return durations;
}

/** The length of a duration in a unit; months count as 30 days and years as 365 only where the units differ. `undefined` for units that are no time. */
export function durationIn(duration: DurationSpan, unit: Unit): number | undefined {
  const [only, second] = duration.parts;
  if (only !== undefined && second === undefined && only.unit === unit) return only.value;
  const target = lengthOf(unit);
  if (target === undefined) return undefined;
  const seconds = duration.parts.reduce((sum, part) => sum + part.value * (lengthOf(part.unit) ?? 0), 0);
  return Number((seconds / target).toPrecision(12));
}

/** The duration in the form of ISO 8601 (RFC 3339 appendix A), as JSON Schema's format `duration` asks: `PT1H30M`, `P3D`. */
export function formatDuration(duration: DurationSpan): string {
  const fields: Record<string, number> = {};
  for (const { value, unit } of duration.parts) fields[`${unit}s`] = (fields[`${unit}s`] ?? 0) + value;
  if (Object.values(fields).every(Number.isInteger)) return Temporal.Duration.from(fields).toString();
  return Temporal.Duration.from({ seconds: Math.round(durationIn(duration, 'second') ?? 0) })
    .round({ largestUnit: 'hours' })
    .toString();
}

function lengthOf(unit: Unit): number | undefined {
  return unit === 'month' ? 30 * 86_400 : unit === 'year' ? 365 * 86_400 : secondsOf(unit);
}

function rank(unit: Unit): number {
  return lengthOf(unit) ?? 0;
}

/** 2026年 is a year, and 3天 in 今天 never gets here; a four-digit number before 年 is no length of time. */
function isYearOrDay(text: string, number: NumberSpan): boolean {
  return number.unit === 'year' && number.value >= 1900 && text.charAt(number.end - 1) === '年';
}
