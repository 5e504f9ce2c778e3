import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type ArrayType, type ArrayValues, binaryArray } from '#kernel/binary-arrays';
import { newId } from '#kernel/ids';
import { type TestDatabase, testDatabase } from '#test/database';

let t: TestDatabase;
beforeAll(async () => {
  t = await testDatabase();
});
afterAll(() => t.close());

/** The elements as PostgreSQL reads them, as text. */
async function read<T extends ArrayType>(type: T, values: readonly (ArrayValues[T] | null)[]) {
  const rows = await t.db.forPlatform((tx) =>
    tx.query<{ v: string | null }>(
      `SELECT v::text AS v FROM unnest($1::${type}[]) WITH ORDINALITY AS x(v, n) ORDER BY n`,
      [binaryArray(type, values.length, (index) => values[index] as ArrayValues[T] | null)],
    ),
  );
  return rows.map(({ v }) => v);
}

describe('happy', () => {
  test('PostgreSQL reads each type as it was meant', async () => {
    const id = newId();
    expect(await read('uuid', [id, null, '00000000-0000-7000-8000-000000000001'])).toEqual([
      id,
      null,
      '00000000-0000-7000-8000-000000000001',
    ]);
    const times = [
      '2026-11-22T10:00:00.123Z',
      '1999-12-31T23:59:59.999Z',
      '1970-01-01T00:00:00.000Z',
      '9999-12-31T23:59:59.999Z',
    ];
    expect(await read('timestamptz', times.map(Date.parse))).toEqual([
      '2026-11-22 10:00:00.123+00',
      '1999-12-31 23:59:59.999+00',
      '1970-01-01 00:00:00+00',
      '9999-12-31 23:59:59.999+00',
    ]);
    expect(await read('boolean', [true, false, null])).toEqual(['true', 'false', null]);
    expect(await read('integer', [0, -1, 2_147_483_647])).toEqual(['0', '-1', '2147483647']);
    expect(await read('bigint', [0, -1, -(2 ** 40), Number.MAX_SAFE_INTEGER, 9_223_372_036_854_775_807n])).toEqual([
      '0',
      '-1',
      '-1099511627776',
      '9007199254740991',
      '9223372036854775807',
    ]);
    expect(await read('text', ['', null, '门楣 "quoted" \\ {braces}, 🏠'])).toEqual([
      '',
      null,
      '门楣 "quoted" \\ {braces}, 🏠',
    ]);
    expect(await read('text', [])).toEqual([]);
  });
});

describe('errors', () => {
  test('what a type does not take is refused before it is sent', () => {
    const one =
      <T extends ArrayType>(type: T, value: ArrayValues[T]) =>
      () =>
        binaryArray(type, 1, () => value);
    for (const text of ['', 'x', newId().slice(1), `${newId()}0`, newId().toUpperCase()]) {
      expect(one('uuid', text), text).toThrow(TypeError);
    }
    expect(one('bigint', 0.5)).toThrow(RangeError);
    expect(one('bigint', Number.NaN)).toThrow(RangeError);
    expect(one('timestamptz', Number.NaN)).toThrow(RangeError);
    expect(one('integer', 2 ** 31)).toThrow(RangeError);
  });
});
