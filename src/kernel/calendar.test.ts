import { describe, expect, it } from 'vitest';

import { isTimeZone, nextPeriod, type PeriodUnit, periodOf, previousPeriod, retryAfterSeconds } from '#kernel/calendar';

const instant = (text: string) => Temporal.Instant.from(text);
const shown = (at: string, zone: string, unit: PeriodUnit) => {
  const { start, end } = periodOf(instant(at), zone, unit);
  return [start.toString(), end.toString()];
};
const hours = (at: string, zone: string) => {
  const { start, end } = periodOf(instant(at), zone, 'day');
  return end.since(start).total('hours');
};

describe('periods of a zone', () => {
  it.each<[string, string, PeriodUnit, string, string]>([
    ['2026-11-22T16:00:00Z', 'Asia/Shanghai', 'day', '2026-11-22T16:00:00Z', '2026-11-23T16:00:00Z'],
    ['2026-11-22T15:59:59.999Z', 'Asia/Shanghai', 'day', '2026-11-21T16:00:00Z', '2026-11-22T16:00:00Z'],
    ['2026-02-28T23:30:00Z', 'Europe/Berlin', 'month', '2026-02-28T23:00:00Z', '2026-03-31T22:00:00Z'],
    ['2024-02-29T12:00:00Z', 'UTC', 'month', '2024-02-01T00:00:00Z', '2024-03-01T00:00:00Z'],
    ['2026-01-01T00:00:00Z', 'America/New_York', 'year', '2025-01-01T05:00:00Z', '2026-01-01T05:00:00Z'],
    ['2027-01-03T23:59:59Z', 'UTC', 'week', '2026-12-28T00:00:00Z', '2027-01-04T00:00:00Z'],
    ['2026-11-22T12:34:56.789Z', 'Asia/Kathmandu', 'minute', '2026-11-22T12:34:00Z', '2026-11-22T12:35:00Z'],
    ['1969-12-31T23:59:59.5Z', 'UTC', 'hour', '1969-12-31T23:00:00Z', '1970-01-01T00:00:00Z'],
  ])('%s in %s, %s', (at, zone, unit, start, end) => {
    expect(shown(at, zone, unit)).toEqual([start, end]);
  });

  it('begins at the first instant of a day whose midnight does not exist', () => {
    expect(shown('2018-11-04T12:00:00Z', 'America/Sao_Paulo', 'day')).toEqual([
      '2018-11-04T03:00:00Z',
      '2018-11-05T02:00:00Z',
    ]);
    expect(shown('2024-03-31T12:00:00Z', 'Asia/Beirut', 'day')).toEqual([
      '2024-03-30T22:00:00Z',
      '2024-03-31T21:00:00Z',
    ]);
    expect(shown('2024-04-26T12:00:00Z', 'Africa/Cairo', 'day')).toEqual([
      '2024-04-25T22:00:00Z',
      '2024-04-26T21:00:00Z',
    ]);
  });

  it('begins in the middle of a change that began the evening before', () => {
    // Toronto, 30 March 1919: at 23:30 the clock went to 00:30 of the 31st.
    expect(shown('1919-03-31T12:00:00Z', 'America/Toronto', 'day')[0]).toBe('1919-03-31T04:30:00Z');
  });

  it('counts 23, 25, 23.5 and 24.5 hours where the clock changes', () => {
    expect(hours('2026-03-29T12:00:00Z', 'Europe/Berlin')).toBe(23);
    expect(hours('2024-10-31T12:00:00Z', 'Africa/Cairo')).toBe(25);
    expect(hours('2018-02-17T12:00:00Z', 'America/Sao_Paulo')).toBe(25);
    expect(hours('2026-10-04T00:00:00Z', 'Australia/Lord_Howe')).toBe(23.5);
    expect(hours('2026-04-05T00:00:00Z', 'Australia/Lord_Howe')).toBe(24.5);
  });

  it('gives the repeated end of a day to the new day, so that each period begins once', () => {
    // 1 November 2009, 00:01 in St. John's: back to 23:01 of 31 October.
    const november = '2009-11-01T02:30:00Z';
    const repeated = '2009-11-01T02:40:00Z';
    expect(instant(repeated).toZonedDateTimeISO('America/St_Johns').toString()).toContain('2009-10-31T23:10:00');
    expect(shown(repeated, 'America/St_Johns', 'month')).toEqual([november, '2009-12-01T03:30:00Z']);
    expect(shown(repeated, 'America/St_Johns', 'day')).toEqual([november, '2009-11-02T03:30:00Z']);
  });

  it('passes over a day that a zone skipped', () => {
    const before = periodOf(instant('2011-12-30T09:00:00Z'), 'Pacific/Apia', 'day');
    expect(before.end.toString()).toBe('2011-12-30T10:00:00Z');
    const after = nextPeriod(before, 'Pacific/Apia', 'day');
    expect(after.start.toZonedDateTimeISO('Pacific/Apia').toPlainDate().toString()).toBe('2011-12-31');
  });

  it('refuses an unknown zone', () => {
    expect(() => periodOf(instant('2026-01-01T00:00:00Z'), 'Mars/Olympus', 'day')).toThrow(RangeError);
  });
});

describe('periods tile time', () => {
  const awkward = [
    'America/Sao_Paulo',
    'Asia/Beirut',
    'Africa/Cairo',
    'America/St_Johns',
    'Pacific/Apia',
    'America/Havana',
    'Asia/Amman',
  ];
  const zones: [string, string][] = [
    ...awkward.map((zone): [string, string] => [zone, '1970-01-01T00:00:00Z']),
    ...Intl.supportedValuesOf('timeZone').map((zone): [string, string] => [zone, '2010-01-01T00:00:00Z']),
  ];
  const isFirst: Record<string, (date: Temporal.PlainDate) => boolean> = {
    day: () => true,
    week: (date) => date.dayOfWeek === 1,
    month: (date) => date.day === 1,
    year: (date) => date.dayOfYear === 1,
  };

  it.each(Object.keys(isFirst) as PeriodUnit[])('around every change of clock in every zone: %s', (unit) => {
    const wrong: string[] = [];
    let probes = 0;
    for (const [zone, from] of zones) {
      let change = instant(from).toZonedDateTimeISO(zone).getTimeZoneTransition('next');
      for (; change && change.year < 2028; change = change.getTimeZoneTransition('next')) {
        for (const minutes of [-61, 0, 29, 24 * 60]) {
          const at = change.toInstant().add({ minutes });
          const period = periodOf(at, zone, unit);
          const next = nextPeriod(period, zone, unit);
          const [before, first] = [period.start.subtract({ nanoseconds: 1 }), period.start].map((i) =>
            i.toZonedDateTimeISO(zone).toPlainDate(),
          ) as [Temporal.PlainDate, Temporal.PlainDate];
          const holds =
            Temporal.Instant.compare(period.start, at) <= 0 &&
            Temporal.Instant.compare(at, period.end) < 0 &&
            next.start.equals(period.end) &&
            previousPeriod(next, zone, unit).start.equals(period.start) &&
            isFirst[unit]?.(first) === true &&
            Temporal.PlainDate.compare(before, first) < 0;
          probes += 1;
          if (!holds) wrong.push(`${zone} ${at} ${unit}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(probes).toBeGreaterThan(10_000);
  });
});

it('knows time zones by their own names', () => {
  for (const name of ['Asia/Shanghai', 'UTC', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires'])
    expect(isTimeZone(name)).toBe(true);
  for (const name of ['asia/shanghai', '+08:00', 'Mars/Olympus', '', 'Asia/Shanghai ', 'UTC\0', '2026-01-01[UTC]']) {
    expect(isTimeZone(name)).toBe(false);
  }
});

it('tells a client whole seconds to wait, at least one', () => {
  const now = instant('2026-11-22T12:00:00.250Z');
  expect(retryAfterSeconds(now, instant('2026-11-22T12:01:00Z'))).toBe(60);
  expect(retryAfterSeconds(now, instant('2026-11-22T12:00:00.250Z'))).toBe(1);
  expect(retryAfterSeconds(now, instant('2026-11-22T11:00:00Z'))).toBe(1);
});
