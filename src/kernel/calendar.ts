/** Lengths of time that limits, roll-ups and invoices are counted in. Weeks begin on Monday (ISO 8601). */
export type PeriodUnit = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year';

/** The instants from `start` up to, not including, `end`. */
export interface Period {
  readonly start: Temporal.Instant;
  readonly end: Temporal.Instant;
}

/**
 * The period of the zone's civil calendar that holds an instant. Minutes and hours are counted from the Unix epoch, whatever the zone.
 *
 * Days and longer begin at the first instant of their first civil day: usually midnight, 01:00 where the clock skips midnight
 * (America/Sao_Paulo until 2018, Africa/Cairo), and with a day of 23 or 25 hours around a change. The periods of a zone tile time:
 * each instant is in exactly one. Where the clock falls back across midnight (America/St_Johns until 2011) the repeated end of the old
 * day belongs to the new one, so that a counter resets once.
 *
 * Costs some microseconds: on a hot path keep the period until its end. Throws RangeError for an unknown zone.
 */
export function periodOf(at: Temporal.Instant, zone: string, unit: PeriodUnit): Period {
  if (unit === 'minute' || unit === 'hour') {
    const start = at.round({ smallestUnit: unit, roundingMode: 'floor' });
    return { start, end: start.add({ [`${unit}s`]: 1 }) };
  }
  let first = firstDay(at.toZonedDateTimeISO(zone).toPlainDate(), unit);
  for (;;) {
    const next = first.add({ [`${unit}s`]: 1 });
    const end = startOfDay(next, zone);
    if (Temporal.Instant.compare(at, end) < 0) return { start: startOfDay(first, zone), end };
    first = next;
  }
}

/** The period after this one: it begins where this one ends. */
export function nextPeriod(period: Period, zone: string, unit: PeriodUnit): Period {
  return periodOf(period.end, zone, unit);
}

/** The period before this one: it ends where this one begins. */
export function previousPeriod(period: Period, zone: string, unit: PeriodUnit): Period {
  return periodOf(period.start.subtract({ nanoseconds: 1 }), zone, unit);
}

/** True for the name of an IANA time zone in its own spelling (`Asia/Shanghai`, `UTC`); offsets such as `+08:00` are no zones. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return EPOCH.toZonedDateTimeISO(name).timeZoneId === name;
  } catch {
    return false;
  }
}

/** Whole seconds from `now` until `then`, rounded up and at least 1: the value of a `Retry-After` header (RFC 9110 §10.2.3). */
export function retryAfterSeconds(now: Temporal.Instant, then: Temporal.Instant): number {
  return Math.max(1, Math.ceil((then.epochMilliseconds - now.epochMilliseconds) / 1000));
}

const EPOCH = Temporal.Instant.fromEpochMilliseconds(0);

function firstDay(date: Temporal.PlainDate, unit: 'day' | 'week' | 'month' | 'year'): Temporal.PlainDate {
  if (unit === 'week') return date.subtract({ days: date.dayOfWeek - 1 });
  if (unit === 'month') return date.with({ day: 1 });
  return unit === 'year' ? date.with({ month: 1, day: 1 }) : date;
}

/** The first instant of a civil day; of a day that the zone skipped (Pacific/Apia, 30 December 2011) the first of the next. */
function startOfDay(date: Temporal.PlainDate, zone: string): Temporal.Instant {
  return date.toZonedDateTime(zone).toInstant();
}
