import { randomInt } from 'node:crypto';

import { isTimeZone } from '#kernel/calendar';
import { isCurrency } from '#kernel/money';
import { Problem, problems } from '#kernel/problem';

/** Languages that a tenant can have: those of the message catalogues and those only numbers and dates are shown in. */
const localePattern = /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$/;

/** Checks what schemas cannot: that the zone, currency and language exist. 400 naming every wrong place. */
export function checkSettings(settings: {
  name?: string;
  locale?: string;
  timeZone?: string;
  currency?: string;
}): void {
  const errors: { pointer: string; detail: string }[] = [];
  const { name, locale, timeZone, currency } = settings;
  if (name !== undefined && name.trim() === '') errors.push({ pointer: '/name', detail: 'is empty' });
  if (
    locale !== undefined &&
    !(localePattern.test(locale) && Intl.DateTimeFormat.supportedLocalesOf(locale).length > 0)
  )
    errors.push({ pointer: '/locale', detail: 'takes a language such as en, zh-CN or de-DE' });
  if (timeZone !== undefined && !isTimeZone(timeZone))
    errors.push({ pointer: '/timeZone', detail: 'takes an IANA time zone such as Europe/Berlin' });
  if (currency !== undefined && !isCurrency(currency))
    errors.push({ pointer: '/currency', detail: 'takes an ISO 4217 code such as USD' });
  const first = errors[0];
  if (first !== undefined)
    throw new Problem(problems.invalid, { detail: `${first.pointer}: ${first.detail}.`, errors });
}

const reserved = new Set(['platform', 'lintel', 'agent', 'admin', 'api', 'www', 'deleted']);

/**
 * A slug from a name: lower-case ASCII letters, digits and hyphens. A name without any (CJK) gives `tenant-…`; from the
 * second attempt on a number is added, from the tenth on any one, since there is no end to tenants of one name.
 */
export function slugOf(name: string, attempt: number): string {
  const plain = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 50)
    .replace(/^-+|-+$/g, '');
  const base = plain.length < 2 || reserved.has(plain) ? `tenant${plain === '' ? '' : `-${plain}`}` : plain;
  if (attempt === 1) return base;
  return `${base}-${attempt < 10 ? attempt : randomInt(10, 1_000_000)}`;
}

/** Slugs that no tenant may take. */
export function isReservedSlug(slug: string): boolean {
  return reserved.has(slug) || slug.startsWith('deleted-');
}
