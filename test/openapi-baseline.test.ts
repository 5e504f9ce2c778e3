import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { incompatibleChanges } from '#test/openapi-diff';

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));

/** A small document: one operation with a body, a query and an answer. */
const document = () => ({
  openapi: '3.1.0',
  paths: {
    '/v1/things': {
      post: {
        operationId: 'things.make',
        parameters: [{ in: 'query', name: 'dry', required: false, schema: { type: 'boolean' } }],
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                type: 'object',
                required: ['name'],
                properties: {
                  name: { type: 'string', minLength: 1, maxLength: 40 },
                  kind: { anyOf: [{ type: 'string', enum: ['a'] }, { type: 'string', enum: ['b'] }, { type: 'null' }] },
                  tags: { type: 'array', items: { type: 'string' } },
                  size: { type: 'number', maximum: 9 },
                },
                additionalProperties: false,
              },
            },
          },
        },
        responses: {
          201: {
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  required: ['id', 'state'],
                  properties: {
                    id: { type: 'string' },
                    state: { type: 'string', enum: ['new', 'old'] },
                    count: { type: 'integer' },
                    parts: { type: 'array', items: { type: 'object', properties: { n: { type: 'integer' } } } },
                  },
                },
              },
            },
          },
        },
      },
    },
  },
});

// biome-ignore lint/suspicious/noExplicitAny: the changes reach anywhere into the document
type Loose = any;
const changed = (change: (operation: Loose, document: Loose) => void) => {
  const after: Loose = document();
  change(after.paths['/v1/things'].post, after);
  return incompatibleChanges(document(), after);
};
const bodyOf = (operation: Loose) => operation.requestBody.content['application/json'].schema;
const answerOf = (operation: Loose) => operation.responses[201].content['application/json'].schema;

test('the API only grows since the last release', () => {
  expect(
    incompatibleChanges(read('../docs/baseline/openapi.json'), read('../docs/openapi.json')),
    'An incompatible change of the API: make a new member or route beside the old one. (The baseline moves at a release.)',
  ).toEqual([]);
});

test('additions are compatible', () => {
  expect(changed(() => undefined)).toEqual([]);
  for (const grow of [
    (_: Loose, all: Loose) =>
      Object.assign(all.paths, { '/v1/more': { get: { operationId: 'more.list', responses: {} } } }),
    (o: Loose) => Object.assign(bodyOf(o).properties, { note: { type: 'string' } }),
    (o: Loose) => Object.assign(bodyOf(o).properties.name, { maxLength: 80 }),
    (o: Loose) => Object.assign(bodyOf(o).properties.name, { type: ['string', 'null'] }),
    (o: Loose) => bodyOf(o).properties.kind.anyOf.push({ type: 'string', enum: ['c'] }),
    (o: Loose) => Object.assign(bodyOf(o), { required: [] }),
    (o: Loose) => o.parameters.push({ in: 'query', name: 'more', schema: { type: 'string' } }),
    (o: Loose) => Object.assign(answerOf(o).properties, { more: { type: 'string' } }),
    (o: Loose) => answerOf(o).properties.state.enum.push('newer'),
    (o: Loose) => answerOf(o).required.push('count'),
    (o: Loose) => Object.assign(o.responses, { 202: {} }),
  ])
    expect(changed(grow), String(grow)).toEqual([]);
});

test.each<[string, (operation: Loose, document: Loose) => void]>([
  ['a path is gone', (_, all) => delete all.paths['/v1/things']],
  ['a method is gone', (_, all) => delete all.paths['/v1/things'].post],
  ['another operationId', (o) => Object.assign(o, { operationId: 'things.create' })],
  ['a parameter is gone', (o) => o.parameters.pop()],
  ['a parameter must be sent', (o) => Object.assign(o.parameters[0], { required: true })],
  ['a new parameter must be sent', (o) => o.parameters.push({ in: 'query', name: 'x', required: true, schema: {} })],
  ['another type of parameter', (o) => Object.assign(o.parameters[0].schema, { type: 'integer' })],
  [
    'a new member must be sent',
    (o) => {
      bodyOf(o).properties.x = { type: 'string' };
      bodyOf(o).required.push('x');
    },
  ],
  ['a member must be sent', (o) => bodyOf(o).required.push('tags')],
  ['an input member is gone', (o) => delete bodyOf(o).properties.tags],
  ['a shorter text', (o) => Object.assign(bodyOf(o).properties.name, { maxLength: 20 })],
  ['a smaller number', (o) => Object.assign(bodyOf(o).properties.size, { maximum: 5 })],
  ['a new pattern', (o) => Object.assign(bodyOf(o).properties.name, { pattern: '^x' })],
  ['whole numbers only', (o) => Object.assign(bodyOf(o).properties.size, { type: 'integer' })],
  ['a choice is gone', (o) => bodyOf(o).properties.kind.anyOf.splice(1, 1)],
  ['null is taken no more', (o) => bodyOf(o).properties.kind.anyOf.pop()],
  ['a list is closed', (o) => Object.assign(bodyOf(o).properties.tags.items, { enum: ['x'] })],
  ['an answer’s status is gone', (o) => delete o.responses[201]],
  ['an answer’s member is gone', (o) => delete answerOf(o).properties.count],
  ['a deep member is gone', (o) => delete answerOf(o).properties.parts.items.properties.n],
  ['a member may be left out', (o) => answerOf(o).required.pop()],
  ['another type in an answer', (o) => Object.assign(answerOf(o).properties.count, { type: 'string' })],
  ['an answer may be null', (o) => Object.assign(answerOf(o).properties.id, { type: ['string', 'null'] })],
  ['fractions where whole numbers were', (o) => Object.assign(answerOf(o).properties.count, { type: 'number' })],
  ['a credential is asked for', (o) => Object.assign(o, { security: [{ key: [] }] })],
])('a planted change is caught: %s', (_, change) => {
  expect(changed(change)).toHaveLength(1);
});
