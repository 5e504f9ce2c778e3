import { expect, it } from 'vitest';

import { nextInvoicePeriod } from './invoice-period.ts';

const period = (lastEnd: string | null, zone: string, firstFrom = '2026-10-31T20:00:00Z') => {
  const { start, end } = nextInvoicePeriod({ lastEnd, firstFrom }, zone);
  return [start.toString(), end.toString()];
};

it('begins with the civil month of the first subscription, in the tenant’s zone', () => {
  expect(period(null, 'UTC')).toEqual(['2026-10-01T00:00:00Z', '2026-11-01T00:00:00Z']);
  expect(period(null, 'Asia/Shanghai')).toEqual(['2026-10-31T16:00:00Z', '2026-11-30T16:00:00Z']);
});

it('goes on month by month, over changes of the clock', () => {
  expect(period('2026-03-01T05:00:00Z', 'America/New_York')).toEqual(['2026-03-01T05:00:00Z', '2026-04-01T04:00:00Z']);
  expect(period('2026-04-01T04:00:00Z', 'America/New_York')).toEqual(['2026-04-01T04:00:00Z', '2026-05-01T04:00:00Z']);
});

it('tiles time when the zone changes between two months: neither a gap nor a month of some hours', () => {
  const november = '2026-11-01T00:00:00Z';
  expect(period(november, 'America/Los_Angeles')).toEqual([november, '2026-12-01T08:00:00Z']);
  expect(period(november, 'Pacific/Kiritimati')).toEqual([november, '2026-11-30T10:00:00Z']);
  expect(period('2026-10-31T10:00:00Z', 'Pacific/Pago_Pago')).toEqual(['2026-10-31T10:00:00Z', '2026-12-01T11:00:00Z']);
});
