import Type, { type TSchema } from 'typebox';

import { invalidInput } from '#kernel/problem';

/** One page of a list; `nextCursor` is null on the last one. */
export type Page<T> = { data: T[]; nextCursor: string | null };

/** Query members of every list. */
export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 1000, description: 'nextCursor of the page before.' })),
};

/** Schema of a page of `item`. */
export function pageSchema<T extends TSchema>(item: T) {
  return Type.Object({ data: Type.Array(item), nextCursor: Type.Union([Type.String(), Type.Null()]) });
}

/**
 * A page from rows that were read with one more than `limit`. The cursor is the sort key of the last row shown: it names a
 * place in an order, not a right, so the query it goes into must carry its own tenant condition.
 */
export function pageOf<T>(rows: readonly T[], limit: number, keyOf: (row: T) => readonly string[]): Page<T> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { data, nextCursor: more ? Buffer.from(JSON.stringify(keyOf(last))).toString('base64url') : null };
}

/** The sort key in a cursor, or undefined when none was sent; 400 when it is not one of ours (every part must match its pattern). */
export function readCursor(cursor: string | undefined, patterns: readonly RegExp[]): string[] | undefined {
  if (cursor === undefined) return undefined;
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    const parts = Array.isArray(key) ? key : [];
    if (parts.length === patterns.length && patterns.every((p, i) => typeof parts[i] === 'string' && p.test(parts[i])))
      return parts as string[];
  } catch {
    // Falls through to the one answer for every bad cursor.
  }
  throw invalidInput('/query/cursor', 'is not a cursor of this list');
}

/** A UUID in a cursor. */
export const uuidPart = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
