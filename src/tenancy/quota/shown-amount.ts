import { formatDecimal, fromMicros, parseDecimal, toMicros } from '#kernel/money';

import type { LimitResource } from './limits.ts';

/** The largest amount a limit can have, in its inner unit: what a JSON number and a PostgreSQL `bigint` both hold exactly. */
export const maxAmount = 9_000_000_000_000_000;

/** An amount as it is written outside: money as decimal units of the currency, all else as a whole number. */
export function shownAmount(resource: LimitResource, amount: number): string {
  return resource === 'money' ? formatDecimal(fromMicros(BigInt(amount))) : String(amount);
}

/** The inner amount of a decimal string; undefined when it is negative, too large, or not whole where it must be. */
export function readAmount(resource: LimitResource, text: string): number | undefined {
  try {
    const value = parseDecimal(text);
    if (resource === 'money') return inRange(Number(toMicros(value, 'floor')));
    return text.includes('.') ? undefined : inRange(Number(text));
  } catch {
    return undefined;
  }
}

function inRange(amount: number): number | undefined {
  return amount >= 0 && amount <= maxAmount ? amount : undefined;
}
