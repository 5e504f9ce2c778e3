/**
 * A value whose texts PostgreSQL can keep: no U+0000, no lone surrogates (neither `text` nor `jsonb` holds them). Used only after a
 * row was refused for that, so that the rows of everybody else cost nothing.
 */
export function cleanText<T>(value: T): T {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\u0000', '\ufffd') as T;
  if (Array.isArray(value)) return value.map((each) => cleanText(each as unknown)) as T;
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [cleanText(key), cleanText(each)])) as T;
  }
  return value;
}
