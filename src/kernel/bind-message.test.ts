import pg from 'pg';
import { expect, test } from 'vitest';

import { type Bind, bindMessage } from './bind-message.ts';

test.for<[string, Bind]>([
  ['nothing', {}],
  ['names beyond ASCII', { portal: 'π', statement: 'größe', values: [] }],
  [
    'text, bytes and nulls',
    { statement: 's', values: ['a', '', '门楣 😀', '\ud800', Buffer.from([0, 255]), null, undefined] },
  ],
  ['a binary result', { statement: 's', binary: true, values: ['1'] }],
  [
    'mapped values',
    { values: [1, true, null], valueMapper: (value, index) => (value === null ? null : `${value}${index}`) },
  ],
  ['a large one', { values: [Buffer.alloc(100_000, 7), 'x'.repeat(70_000)] }],
])('is byte for byte what pg sends: %s', ([, bind]) => {
  const sent: Buffer[] = [];
  const stream = { writable: true, write: (message: Buffer) => sent.push(message) };
  new pg.Connection({ stream: stream as never }).bind(bind as never, false);
  expect(bindMessage(bind).equals(sent[0] as Buffer)).toBe(true);
});

test('what cannot be mapped, or is too much, is refused', () => {
  const valueMapper = () => {
    throw new TypeError('a circle');
  };
  expect(() => bindMessage({ values: [{}], valueMapper })).toThrow('a circle');
  expect(() => bindMessage({ values: new Array(65_536).fill('x') })).toThrow('65,535');
});
