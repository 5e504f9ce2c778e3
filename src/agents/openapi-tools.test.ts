import { expect, test } from 'vitest';

import { readOpenapi, requestOf } from './openapi-tools.ts';
import type { SourceFunction } from './store.ts';

const document = {
  openapi: '3.0.3',
  servers: [{ url: 'https://api.example.com/v2' }],
  components: {
    schemas: {
      Pet: { type: 'object', properties: { name: { type: 'string' }, mother: { $ref: '#/components/schemas/Pet' } } },
    },
    parameters: { page: { name: 'page', in: 'query', schema: { type: 'integer' } } },
  },
  paths: {
    '/pets/{id}': {
      parameters: [{ name: 'id', in: 'path', schema: { type: 'string' } }],
      get: {
        operationId: 'getPet',
        summary: 'One pet',
        parameters: [
          { $ref: '#/components/parameters/page' },
          { name: 'X-Trace', in: 'header', schema: { type: 'string' } },
          { name: 'Authorization', in: 'header', schema: { type: 'string' } },
        ],
      },
      put: {
        requestBody: {
          required: true,
          content: { 'application/json; charset=utf-8': { schema: { $ref: '#/components/schemas/Pet' } } },
        },
      },
    },
  },
};
const [get, put] = readOpenapi(document, undefined, undefined) as [SourceFunction, SourceFunction];

test('operations become functions', () => {
  expect(get).toMatchObject({
    name: 'getPet',
    description: 'One pet',
    readOnly: true,
    idempotent: true,
    parameters: {
      required: ['id'],
      additionalProperties: false,
      properties: { id: { type: 'string' }, page: { type: 'integer' }, 'X-Trace': { type: 'string' } },
    },
  });
  expect(Object.keys((get.parameters as { properties: object }).properties)).not.toContain('Authorization');
  expect(put).toMatchObject({
    name: 'put_pets_id',
    readOnly: false,
    idempotent: false,
    parameters: { required: ['id', 'body'] },
  });
  // What refers to itself ends in "anything".
  expect(JSON.stringify(put.parameters)).toContain('"mother"');
});

test('arguments go where they belong, and cannot leave their place', () => {
  const http = get.http as NonNullable<SourceFunction['http']>;
  expect(requestOf(http, { id: 'a/b?c=d#e', page: 2, 'X-Trace': 'x\r\nEvil: 1' })).toEqual({
    method: 'GET',
    url: 'https://api.example.com/v2/pets/a%2Fb%3Fc%3Dd%23e?page=2',
    headers: { accept: expect.any(String), 'x-trace': 'x  Evil: 1' },
  });
  for (const id of ['..', '.', '']) expect(() => requestOf(http, { id })).toThrow(TypeError);
  const sent = requestOf(put.http as NonNullable<SourceFunction['http']>, { id: '$&', body: { name: 'Rex' } });
  expect(sent).toMatchObject({ url: 'https://api.example.com/v2/pets/%24%26', body: '{"name":"Rex"}' });
});

test.each([
  [{ swagger: '2.0' }, 'not an OpenAPI 3 document'],
  [{ openapi: '3.1.0', servers: [{ url: '/v1' }], paths: { '/x': { get: {} } } }, 'names no whole server address'],
  [
    { openapi: '3.1.0', servers: [{ url: 'file:///etc' }], paths: { '/x': { get: {} } } },
    'names no whole server address',
  ],
  [{ ...document, paths: {} }, 'no operations'],
  [
    { ...document, paths: Object.fromEntries(Array.from({ length: 301 }, (_, i) => [`/${i}`, { get: {} }])) },
    'more than 300',
  ],
])('refuses %j', (bad, why) => {
  expect(() => readOpenapi(bad as never, undefined, undefined)).toThrow(why);
});

test('a document full of references to itself is read in bounded time', () => {
  const knot = { allOf: Array.from({ length: 50 }, () => ({ $ref: '#/components/schemas/K' })) };
  const bad = {
    openapi: '3.1.0',
    servers: [{ url: 'https://x.example' }],
    components: { schemas: { K: knot, A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/A' } } },
    paths: {
      '/x': {
        post: { requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/K' } } } } },
        put: { requestBody: { $ref: '#/components/schemas/A' } },
      },
    },
  };
  expect(JSON.stringify(readOpenapi(bad, undefined, undefined)).length).toBeLessThan(200_000);
});

test('a relative server address is read from where the document came', () => {
  const [found] = readOpenapi(
    { openapi: '3.1.0', paths: { '/x': { get: {} } } },
    undefined,
    'https://a.example/docs/openapi.json',
  );
  expect(found?.http?.base).toBe('https://a.example/');
});

test('members of the wrong type are refused or passed over, also where they cannot be made a text', () => {
  const odd = { toString: 1, length: -1 };
  const read = (change: object) => () => readOpenapi({ ...document, ...change }, undefined, undefined);
  expect(read({ openapi: odd })).toThrow('is not an OpenAPI 3 document');
  expect(read({ servers: [{ url: odd }] })).toThrow('names no whole server address');
  const operation = { operationId: odd, parameters: [{ name: odd, in: 'query' }] };
  expect(read({ paths: { '/odd': { get: operation } } })().map(({ name }) => name)).toEqual(['get_odd']);
});
