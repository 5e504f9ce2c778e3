import pg from 'pg';

const { builtins } = pg.types;

const camelNames = new Map<string, string>();

/** `snake_case` → `camelCase`, remembered per name. */
export function camelName(name: string): string {
  let camel = camelNames.get(name);
  if (camel === undefined) {
    camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    camelNames.set(name, camel);
  }
  return camel;
}

/** A database row with camelCase names. */
export function toRow(row: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name in row) result[camelName(name)] = row[name];
  return result;
}

/** `timestamptz` text of a UTC session (`2026-11-22 10:00:00.123456+00`) → ISO 8601 (`2026-11-22T10:00:00.123456Z`). */
export function toIsoTime(text: string): string {
  return text.endsWith('+00')
    ? `${text.slice(0, 10)}T${text.slice(11, -3)}Z`
    : Temporal.Instant.from(text.replace(' ', 'T')).toString();
}

function toSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`The bigint ${text} does not fit a number.`);
  return value;
}

/** Type parsers of every connection: times as ISO text, `bigint` as number, `numeric` and `date` as text. */
export const rowTypes: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: string) {
    if (oid === builtins.TIMESTAMPTZ) return toIsoTime as never;
    if (oid === builtins.INT8) return toSafeInteger as never;
    if (oid === builtins.DATE) return String as never;
    return pg.types.getTypeParser(oid, format as never);
  },
};
