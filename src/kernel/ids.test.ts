import { expect, test } from 'vitest';

import { formatId, idTime, isUuid, newId, parseId } from '#kernel/ids';

test('ids are UUIDv7, unique and in order within a process', () => {
  const ids = Array.from({ length: 20_000 }, () => newId());
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort()).toEqual(ids);
  for (const id of ids.slice(0, 100)) {
    expect(isUuid(id)).toBe(true);
    expect(id[14]).toBe('7');
    expect('89ab').toContain(id[19]);
  }
});

test('ids stay in order while the clock goes back a little, and follow it when it was set back', () => {
  const start = Date.now() + 100_000_000;
  const [first, second, third] = [newId(start), newId(start - 9_000), newId(start - 3_600_000)];
  expect([first, second].sort()).toEqual([first, second]);
  expect(idTime(second)).toBe(start);
  expect(idTime(third)).toBe(start - 3_600_000);
});

test('an id carries its time', () => {
  const later = Date.now() + 10_000_000;
  expect(idTime(newId(later))).toBe(later);
});

test('the outside form goes there and back, and refuses what is not one', () => {
  const id = newId();
  const outside = formatId('tenant', id);
  expect(outside).toMatch(/^tnt_[0-9a-z]{26}$/);
  expect(parseId('tenant', outside)).toBe(id);
  expect(parseId('key', outside)).toBeUndefined();
  expect(parseId('tenant', outside.slice(0, -1))).toBeUndefined();
  expect(parseId('tenant', `${outside.slice(0, -1)}u`)).toBeUndefined();
  expect(parseId('tenant', `tnt_${'z'.repeat(26)}`)).toBeUndefined();
});

test('TypeID reference vectors (typeid 0.3 spec: nil and max)', () => {
  expect(formatId('tenant', '00000000-0000-0000-0000-000000000000')).toBe('tnt_00000000000000000000000000');
  expect(formatId('tenant', 'ffffffff-ffff-ffff-ffff-ffffffffffff')).toBe('tnt_7zzzzzzzzzzzzzzzzzzzzzzzzz');
  expect(formatId('tenant', '0188bac7-4afa-78aa-bc3b-bd1eef28d881')).toBe('tnt_01h2xcejqtf2nbrexx3vqjhp41');
});
