/**
 * JSON text that PostgreSQL's `jsonb` takes: it refuses U+0000 and lone surrogates, and models, tools and callers may send
 * both. They become U+FFFD.
 */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value);
  return /\\u(0000|d[89a-f])/i.test(text) ? JSON.stringify(wellFormed(JSON.parse(text))) : text;
}

/** {@link toJson}; null where there is nothing. */
export function jsonOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : toJson(value);
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\0', '\ufffd');
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [wellFormed(name), wellFormed(item)]));
}
