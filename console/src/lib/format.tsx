import { Text, Tooltip } from '@mantine/core';
import { useMemo } from 'react';

import { useLanguage } from '#lib/i18n.tsx';
import { useSession } from '#lib/session.ts';

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
      number: (value: number | bigint) => number.format(value),
      compact: (value: number) => compact.format(value),
      money: (amount: string, currency: string) => moneyText(locale, amount, currency),
      dateTime: (at: string) => dateTime.format(new Date(at)),
      date: (at: string) => date.format(new Date(at)),
      time: (at: string) => time.format(new Date(at)),
      ms: (value: number) => unitText(locale, value),
    };
  }, [locale, zone]);
}

/** A number that keeps its direction in right-to-left text. */
export function Num({ value, compact = false }: { value: number | bigint; compact?: boolean }) {
  const format = useFormat();
  return <bdi className="numbers">{compact ? format.compact(Number(value)) : format.number(value)}</bdi>;
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
    <Tooltip label={format.zone === undefined ? full : `${full} · ${format.zone}`}>
      <time dateTime={at} className="numbers" style={{ whiteSpace: 'nowrap' }}>
        <bdi>{short ? format.time(at) : full}</bdi>
      </time>
    </Tooltip>
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

function moneyText(locale: string, amount: string, currency: string): string {
  const fraction = amount.split('.')[1]?.replace(/0+$/, '') ?? '';
  const usual =
    new Intl.NumberFormat(locale, { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  // Intl takes decimal strings as they are: a float would lose digits.
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: usual,
    maximumFractionDigits: Math.max(usual, Math.min(fraction.length, 6)),
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
