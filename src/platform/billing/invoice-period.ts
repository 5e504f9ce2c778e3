import { type Period, periodOf } from '#kernel/calendar';

/**
 * The period of a tenant's next invoice: a civil month of its zone, beginning where the last invoice ended, so that periods tile time even
 * when the tenant has changed its zone between. The first one is the month in which the first subscription began.
 */
export function nextInvoicePeriod(state: { lastEnd: string | null; firstFrom: string }, zone: string): Period {
  if (state.lastEnd === null) return periodOf(Temporal.Instant.from(state.firstFrom), zone, 'month');
  const start = Temporal.Instant.from(state.lastEnd);
  // Zones lie up to 26 hours apart: 36 hours in, it is the same civil month in every zone, not the end of the month before.
  return { start, end: periodOf(start.add({ hours: 36 }), zone, 'month').end };
}
