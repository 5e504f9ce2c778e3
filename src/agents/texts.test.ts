import { expect, test } from 'vitest';

import { readMessages, toOpenai } from './conversation.ts';
import { valueAt, withValueAt } from './json-pointer.ts';
import { toJson } from './json-text.ts';
import { eventsOf } from './sse-stream.ts';
import { functionName, outcome } from './tool-functions.ts';
import { checkArguments } from './validate-arguments.ts';

test('JSON pointers read and write, own members only', () => {
  expect(valueAt({ a: [{ 'b/c': { '~': 1 } }] }, '/a/0/b~1c/~0')).toBe(1);
  expect(valueAt({ a: 1 }, '')).toEqual({ a: 1 });
  expect(valueAt({}, '/constructor')).toBeUndefined();
  expect(valueAt({ a: null }, '/a/b')).toBeUndefined();
  const before = { keep: 1, in: { x: 1 } };
  expect(withValueAt(before, '/in/text', 'hi')).toEqual({ keep: 1, in: { x: 1, text: 'hi' } });
  expect(before).toEqual({ keep: 1, in: { x: 1 } });
  expect(withValueAt({ list: [1, 2] }, '/list/1', 3)).toEqual({ list: [1, 3] });
  const strange = withValueAt({}, '/__proto__/polluted', true) as object;
  expect(Object.keys(strange)).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('event streams are read however they are cut', async () => {
  const text = ': ping\r\ndata: one\r\n\r\nevent: x\ndata: two\ndata: lines\n\ndata:three — 三\n\ndata: unfinished';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size < bytes.length; size++) {
    const found: string[] = [];
    const chunks = async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    };
    for await (const data of eventsOf(chunks(), 1_000)) found.push(data);
    expect(found).toEqual(['one', 'two\nlines', 'three — 三']);
  }
  const endless = async function* () {
    for (;;) yield new Uint8Array(100);
  };
  await expect(eventsOf(endless(), 1_000).next()).rejects.toThrow('larger than');
});

test('jsonb text holds neither NUL nor half a pair, and leaves the rest alone', () => {
  const fine = { 'a\\u0000': '\\ud800 \\\\u0000', emoji: '😀' };
  expect(JSON.parse(toJson(fine))).toEqual(fine);
  expect(JSON.parse(toJson({ 'k\0': ['\ud83d', { x: 'a\0b' }] }))).toEqual({
    'k\ufffd': ['\ufffd', { x: 'a\ufffdb' }],
  });
});

const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: { n: { type: 'integer' }, pattern: { type: 'string', pattern: '^(a+)+$' }, kind: { enum: ['a', 'b'] } },
  required: ['n'],
  additionalProperties: false,
};
test.each([
  ['{"n":1,"pattern":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}', undefined],
  ['{"n":1,"kind":"c"}', /\/kind must be equal to one of the allowed values \(a,b\)/],
  ['{"n":"1"}', /\/n must be integer/],
  ['{"n":1,"x":2}', /additional properties \(x\)/],
  ['{"kind":"a"}', /required properties n/],
  ['', /required properties n/],
  ['[1]', /not an object/],
  ['{"n":', /not JSON/],
])('arguments %s', (text, wrong) => {
  const checked = checkArguments(text, schema);
  if (wrong === undefined) expect(checked).toHaveProperty('args');
  else expect(checked).toHaveProperty('wrong', expect.stringMatching(wrong));
});

test('a schema that cannot be read checks nothing', () => {
  expect(
    checkArguments('{"a":1}', { type: 'object', properties: { a: { $ref: 'https://elsewhere.example/x' } } }),
  ).toHaveProperty('args');
  expect(checkArguments('{"a":1}', { type: 'nonsense' })).toHaveProperty('args');
});

test('names and results of tools are bounded', () => {
  expect(functionName(['my tool', 'do/it…'], new Set())).toBe('my_tool_do_it_');
  const long = 'x'.repeat(100);
  const first = functionName([long, 'a'], new Set());
  expect(functionName([long, 'b'], new Set([first]))).not.toBe(first);
  expect(functionName([long, 'b'], new Set([first])).length).toBeLessThanOrEqual(64);
  expect(outcome('y'.repeat(64_010)).text).toMatch(/y\n\[cut here: 10 more characters\]$/);
});

test('conversations come and go in OpenAI form', () => {
  const messages = [
    { role: 'system', content: 'Be kind.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'hi' },
        { type: 'image_url', image_url: { url: 'https://x.example/a.png' } },
      ],
    },
    {
      role: 'assistant',
      content: '',
      tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }],
    },
    { role: 'tool', tool_call_id: '1', content: 'done' },
  ];
  expect(toOpenai(readMessages(messages, '/messages'))).toEqual(messages);
});

test.each([
  [[], '/messages'],
  [[{ role: 'robot', content: '' }], '/messages/0/role'],
  [[{ role: 'user' }], '/messages/0/content'],
  [
    [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }] }],
    '/messages/0/content/0',
  ],
  [[{ role: 'tool', content: 'x' }], '/messages/0/tool_call_id'],
  [[{ role: 'assistant', tool_calls: [{ id: 'x' }] }], '/messages/0/tool_calls/0/function'],
])('wrong conversations are pointed at: %j', (messages, pointer) => {
  expect(() => readMessages(messages, '/messages')).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ errors: [expect.objectContaining({ pointer })] }) }),
  );
});
