import { Text } from '@mantine/core';
import { useMemo } from 'react';

import { useLanguage } from '#lib/i18n.tsx';
import { useSession } from '#lib/session.ts';

/** A quantity: a number, or a decimal string as the API sends what no float could hold. */
export type Amount = number | bigint | string;

/** Formatters of the reader's language and the tenant's time zone. */
export function useFormat() {
  const { locale } = useLanguage();
  const zone = useSession()?.tenant.timeZone;
  return useMemo(() => {
    const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
    const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
    const inZone = zone === undefined ? {} : { timeZone: zone };
    const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium', ...inZone });
    const date = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', ...inZone });
    const time = new Intl.DateTimeFormat(locale, { timeStyle: 'medium', ...inZone });
    return {
      zone,
      // Intl takes decimal strings as they are: a float would lose digits.
      number: (value: Amount) => number.format(value as number),
      compact: (value: Amount) => compact.format(value as number),
      money: (amount: string, currency: string) => moneyText(locale, amount, currency),
      dateTime: (at: string) => dateTime.format(new Date(at)),
      date: (at: string) => date.format(new Date(at)),
      time: (at: string) => time.format(new Date(at)),
      ms: (value: number) => unitText(locale, value),
    };
  }, [locale, zone]);
}

/** A number that keeps its direction in right-to-left text. */
export function Num({ value, compact = false }: { value: Amount; compact?: boolean }) {
  const format = useFormat();
  return <bdi className="numbers">{compact ? format.compact(value) : format.number(value)}</bdi>;
}

/** An amount of money, as precise as it is: prices of calls are small fractions of a cent. */
export function Money({
  amount,
  currency,
}: {
  amount: string | null | undefined;
  currency: string | null | undefined;
}) {
  const format = useFormat();
  if (amount === null || amount === undefined || currency === null || currency === undefined) return <Dash />;
  return <bdi className="numbers">{format.money(amount, currency)}</bdi>;
}

/** A point in time in the tenant's zone; the tooltip has date and zone. */
export function When({ at, short = false }: { at: string | null | undefined; short?: boolean }) {
  const format = useFormat();
  if (at === null || at === undefined) return <Dash />;
  const full = format.dateTime(at);
  return (
    // The browser's own tooltip: a table of a thousand rows would carry a thousand components for ours.
    <time
      dateTime={at}
      className="numbers"
      style={{ whiteSpace: 'nowrap' }}
      title={format.zone === undefined ? full : `${full} · ${format.zone}`}
    >
      <bdi>{short ? format.time(at) : full}</bdi>
    </time>
  );
}

/** A duration: milliseconds below a second, seconds above. */
export function Duration({ ms }: { ms: number | null | undefined }) {
  const format = useFormat();
  if (ms === null || ms === undefined) return <Dash />;
  return <bdi className="numbers">{format.ms(ms)}</bdi>;
}

/** What stands where there is no value. */
export function Dash() {
  return (
    <Text span c="dimmed" aria-hidden="true">
      {'–'}
    </Text>
  );
}

/** An amount in words of the locale: never rounded to less than six digits that say something, since a token costs millionths. */
export function moneyText(locale: string, amount: string, currency: string): string {
  const fraction = amount.split('.')[1]?.replace(/0+$/, '') ?? '';
  const zeros = /^-?0*\./.test(amount) ? (/^0*/.exec(fraction)?.[0].length ?? 0) : 0;
  const usual =
    new Intl.NumberFormat(locale, { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  // Intl takes decimal strings as they are: a float would lose digits.
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: usual,
    maximumFractionDigits: Math.max(usual, Math.min(fraction.length, zeros + 6)),
  }).format(amount as unknown as number);
}

function unitText(locale: string, ms: number): string {
  const [value, unit, digits] = ms < 1000 ? [ms, 'millisecond', ms < 10 ? 1 : 0] : [ms / 1000, 'second', 2];
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: unit as string,
    unitDisplay: 'short',
    maximumFractionDigits: digits as number,
  }).format(value as number);
}
