import { expect, test } from 'vitest';

import { DuplicateMember, editMembers, findMembers } from './edit-body.ts';

const edit = (text: string, edits: Record<string, string | null>) =>
  editMembers(text, findMembers(text), new Map(Object.entries(edits)));

test('members are found whatever stands inside them', () => {
  const text = ' { "a" : 1.50 , "b\\"}" : "x\\\\\\"}," , "c":[{"a":"]"},[]], "d":{"e":{}} ,"f":null}';
  const members = findMembers(text);
  expect([...members].map(([key, [start, end]]) => [key, text.slice(start, end)])).toEqual([
    ['a', '1.50'],
    ['b"}', '"x\\\\\\"},"'],
    ['c', '[{"a":"]"},[]]'],
    ['d', '{"e":{}}'],
    ['f', 'null'],
  ]);
});

test('an edit leaves every other byte as it came', () => {
  const text = '{"seed": 12345678901234567890, "model":"openai/gpt" ,"x":1.0e2}';
  const edited = edit(text, { model: '"gpt"', max_tokens: '5' });
  expect(edited).toBe('{"seed": 12345678901234567890, "model":"gpt" ,"x":1.0e2,"max_tokens":5}');
  expect(edit('{}', { a: '1', b: '2' })).toBe('{"a":1,"b":2}');
});

test('a member is taken out with one comma, wherever it stands', () => {
  const text = '{ "a":1 , "b" : [2,3], "c":4 }';
  expect(edit(text, { a: null })).toBe('{ "b" : [2,3], "c":4 }');
  expect(edit(text, { b: null })).toBe('{ "a":1, "c":4 }');
  expect(edit(text, { c: null, constructor: null })).toBe('{ "a":1 , "b" : [2,3] }');
  expect(edit(text, { a: null, b: null, c: '5' })).toBe('{ "c":5 }');
  expect(edit(text, { b: null, c: null, d: '6' })).toBe('{ "a":1 ,"d":6}');
  expect(JSON.parse(edit(text, { a: null, b: null, c: null, d: '6' }))).toEqual({ d: 6 });
});

test('a member that stands twice is refused', () => {
  expect(() => findMembers('{"model":"a","model":"b"}')).toThrow(DuplicateMember);
  expect(() => findMembers('{"model":"a","\\u006dodel":"b"}')).toThrow(DuplicateMember);
});

test('random objects: positions agree with the parser (seeded)', () => {
  let seed = Number(process.env['SEED'] ?? 42);
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  const make = (depth: number): unknown => {
    const kind = Math.floor(random() * (depth > 2 ? 4 : 6));
    if (kind === 0) return random() * 1e6;
    if (kind === 1) return `"\\{}[],${'中\u{1F600}\n'.repeat(Math.floor(random() * 3))}\\`;
    if (kind === 2) return null;
    if (kind === 3) return random() > 0.5;
    if (kind === 4) return Array.from({ length: Math.floor(random() * 4) }, () => make(depth + 1));
    return Object.fromEntries(
      Array.from({ length: Math.floor(random() * 4) }, (_, i) => [`k${i}"\\`, make(depth + 1)]),
    );
  };
  for (let round = 0; round < 2_000; round++) {
    const value = Object.fromEntries(
      Array.from({ length: 1 + Math.floor(random() * 5) }, (_, i) => [`m${i}`, make(0)]),
    );
    const text = JSON.stringify(value, null, random() > 0.5 ? 1 : 0);
    const members = findMembers(text);
    for (const [key, [start, end]] of members)
      expect(JSON.parse(text.slice(start, end)), `seed 42, round ${round}`).toEqual(value[key]);
    expect(JSON.parse(edit(text, { m0: '7', z: '8' }))).toEqual({ ...value, m0: 7, z: 8 });
    const gone = Object.keys(value).filter(() => random() > 0.5);
    const rest = Object.fromEntries(Object.entries(value).filter(([key]) => !gone.includes(key)));
    const edits = Object.fromEntries(gone.map((key) => [key, null]));
    expect(JSON.parse(edit(text, { ...edits, z: '8' })), `seed 42, round ${round}`).toEqual({ ...rest, z: 8 });
  }
});
