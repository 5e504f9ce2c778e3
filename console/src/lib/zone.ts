/**
 * The moment at which clocks of a zone show a civil time (`2026-11-22T20:30`), as ISO 8601 in UTC; undefined when it is none. A time
 * that clocks skip is taken as if they had not, one that they show twice as the first.
 */
export function instantOf(civil: string, zone: string | undefined): string | undefined {
  const asUtc = Date.parse(`${civil}Z`);
  if (Number.isNaN(asUtc)) return undefined;
  // The offset is that of a moment which is not known yet: of one a day earlier it is near, of the one found by it right.
  const near = asUtc - offsetAt(asUtc - 86_400_000, zone);
  const found = asUtc - offsetAt(near, zone);
  return new Date(civilMs(found, zone) === asUtc ? found : near).toISOString();
}

/** What clocks of a zone show at a moment, to the minute: `2026-11-22T20:30`; the empty string for what is no moment. */
export function civilOf(instant: string, zone: string | undefined): string {
  const at = Date.parse(instant);
  return Number.isNaN(at) ? '' : new Date(civilMs(at, zone)).toISOString().slice(0, 16);
}

function offsetAt(at: number, zone: string | undefined): number {
  return civilMs(at, zone) - at;
}

/** What clocks of the zone show, read as if it were UTC; to the second. */
function civilMs(at: number, zone: string | undefined): number {
  const parts = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', {
    ...(zone === undefined ? {} : { timeZone: zone }),
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at);
  const part = (type: string) => Number(parts.find((each) => each.type === type)?.value);
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}
