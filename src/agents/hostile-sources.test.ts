import { expect, test } from 'vitest';

import { McpSession, type McpTransport } from './mcp-session.ts';
import { readOpenapi, requestOf } from './openapi-tools.ts';
import { eventsOf } from './sse-stream.ts';
import type { SourceFunction } from './store.ts';
import { checkArguments } from './validate-arguments.ts';

const servers = [{ url: 'https://api.example.com' }];
const get = { operationId: 'get' };
const requestFor = (found: SourceFunction | undefined, args: Record<string, unknown>) =>
  requestOf(found?.http as NonNullable<SourceFunction['http']>, args);

test('a path that is none cannot move the request, and its secrets, to another host', () => {
  for (const path of ['@evil.example/', '.evil.example/', ':8443/', 'relative', '']) {
    const document = { openapi: '3.1.0', servers, paths: { [path]: { get } } };
    expect(() => readOpenapi(document, 'https://api.example.com', undefined)).toThrow('begin with "/"');
  }
});

test('parameters named like what every object has are sent when given, and only then', () => {
  const parameters = ['constructor', 'valueOf', '__proto__'].map((name) => ({ name, in: 'query', schema: {} }));
  const [found] = readOpenapi(
    { openapi: '3.1.0', servers, paths: { '/x': { get: { parameters } } } },
    undefined,
    undefined,
  );
  expect(requestFor(found, {}).url).toBe('https://api.example.com/x');
  expect(requestFor(found, JSON.parse('{"constructor":"a","__proto__":"b"}')).url).toBe(
    'https://api.example.com/x?constructor=a&__proto__=b',
  );
});

test('a long list of values stays whole', () => {
  const zones = Array.from({ length: 5_000 }, (_, i) => `zone-${i}`);
  const schema = { type: 'object', properties: { zone: { enum: zones } }, required: ['zone'] };
  const post = { requestBody: { content: { 'application/json': { schema } } } };
  const [found] = readOpenapi({ openapi: '3.1.0', servers, paths: { '/x': { post } } }, undefined, undefined);
  const body = (zone: string) => checkArguments(JSON.stringify({ body: { zone } }), found?.parameters ?? {});
  expect(body('zone-4999')).toHaveProperty('args');
  expect(body('nowhere')).toHaveProperty('wrong');
});

test('a schema whose references double at every step is checked in bounded time', () => {
  const $defs: Record<string, unknown> = { d40: { type: 'string' } };
  for (let i = 0; i < 40; i++)
    $defs[`d${i}`] = { anyOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] };
  const doubling = { type: 'object', properties: { x: { $ref: '#/$defs/d0' } }, $defs };
  expect(checkArguments('{"x":1}', doubling)).toBeDefined();
  // Itself twice at each level of what is given: 2 to the power of its depth.
  const nested = {
    $defs: { n: { items: { anyOf: [{ $ref: '#/$defs/n' }, { $ref: '#/$defs/n' }] }, not: { const: 1 } } },
  };
  const deep = `{"x":${'['.repeat(60)}1${']'.repeat(60)}}`;
  expect(checkArguments(deep, { ...nested, type: 'object', properties: { x: { $ref: '#/$defs/n' } } })).toBeDefined();
  expect(checkArguments('{}', { anyOf: [{ $ref: '#' }, { $ref: '#' }] })).toBeDefined();
});

test('references still count: within the schema, by name, and a tree of itself', () => {
  const schema = {
    type: 'object',
    properties: { at: { $ref: '#/$defs/point' }, tree: { $ref: '#/$defs/tree' } },
    $defs: {
      point: { type: 'object', properties: { x: { type: 'number' } }, required: ['x'] },
      tree: { type: 'object', properties: { leaf: { type: 'number' }, in: { $ref: '#/$defs/tree' } } },
    },
  };
  expect(checkArguments('{"at":{"x":1},"tree":{"leaf":1,"in":{"leaf":2}}}', schema)).toHaveProperty('args');
  expect(checkArguments('{"at":{}}', schema)).toHaveProperty('wrong');
  expect(checkArguments('{"tree":{"in":{"leaf":"x"}}}', schema)).toHaveProperty('wrong');
});

test('names that only a pattern allows are let through to the tool', () => {
  const schema = { type: 'object', patternProperties: { '^x-': { type: 'string' } }, additionalProperties: false };
  expect(checkArguments('{"x-trace":"1"}', schema)).toEqual({ args: { 'x-trace': '1' } });
});

test('a line that comes in very small pieces costs no more than the line', async () => {
  const piece = new TextEncoder().encode('abcdefgh');
  const pieces = 60_000;
  let asked = 0;
  const body = async function* () {
    yield new TextEncoder().encode('data: ');
    for (; asked < pieces; asked++) yield piece;
    yield new TextEncoder().encode('\n\n');
  };

  const found: string[] = [];
  for await (const data of eventsOf(body(), 1_000_000)) found.push(data);

  expect(found.map((data) => data.length)).toEqual([8 * pieces]);
});

test('one of two forms that only a pattern or format tells apart fits', () => {
  const id = {
    oneOf: [
      { type: 'string', format: 'uuid' },
      { type: 'string', format: 'email' },
    ],
    not: { pattern: '^x' },
  };
  const schema = { type: 'object', properties: { id } };
  expect(checkArguments('{"id":"ada@example.com"}', schema)).toHaveProperty('args');
  expect(checkArguments('{"id":1}', schema)).toHaveProperty('wrong');
});

test('a part that is referred to many times over is not written out each time', () => {
  const big = { type: 'string', description: 'x'.repeat(1_000_000) };
  const properties = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, i) => [`p${i}`, { $ref: '#/components/schemas/Big' }]),
  );
  const post = { requestBody: { content: { 'application/json': { schema: { type: 'object', properties } } } } };
  const document = { openapi: '3.1.0', servers, components: { schemas: { Big: big } }, paths: { '/x': { post } } };
  expect(JSON.stringify(readOpenapi(document, undefined, undefined)).length).toBeLessThan(8_000_000);
});

test('OpenAPI 3.0’s nullable and exclusive bounds refuse nothing that fits', () => {
  const properties = {
    a: { type: 'string', nullable: true, enum: ['x'] },
    n: { type: 'number', minimum: 1, exclusiveMinimum: true },
  };
  const schema = { type: 'object', properties };
  expect(checkArguments('{"a":null,"n":2}', schema)).toHaveProperty('args');
  expect(checkArguments('{"a":"y"}', schema)).toHaveProperty('wrong');
  expect(checkArguments('{"n":0}', schema)).toHaveProperty('wrong');
});

test('an MCP server cannot fill the memory with what it says of its tools', async () => {
  const padding = 'x'.repeat(100_000);
  let pages = 0;
  const transport: McpTransport = {
    alive: true,
    agreed: () => undefined,
    notify: async () => undefined,
    close: async () => undefined,
    request: async ({ id, method }) => {
      const result: Record<string, unknown> = { protocolVersion: '2025-11-25' };
      if (method === 'tools/list') {
        const inputSchema = { type: 'object', properties: { a: { type: 'string', description: padding } } };
        result['tools'] = [
          { name: `tool-${pages++}`, inputSchema },
          'nonsense',
          { name: `bare-${pages}`, inputSchema: [1] },
        ];
        result['nextCursor'] = String(pages);
      }
      return { jsonrpc: '2.0', ...(id === undefined ? {} : { id }), result };
    },
  };
  const signal = AbortSignal.timeout(30_000);
  const session = await McpSession.open(transport, signal);
  const functions = await session.listFunctions(signal);
  expect(functions.length).toBeGreaterThan(20);
  expect(JSON.stringify(functions).length).toBeLessThan(8_000_000);
  expect(functions.every(({ parameters }) => parameters['type'] === 'object')).toBe(true);
  expect(functions[0]?.parameters).toHaveProperty('properties');
});

test('an MCP server that answers with nonsense has answered: its tool is not in doubt', async () => {
  const hostile = { toString: 1 };
  const content = [
    null,
    'text',
    { type: 'text', text: hostile },
    { type: hostile },
    { type: 'resource', resource: null },
  ];
  const transport: McpTransport = {
    alive: true,
    agreed: () => undefined,
    notify: async () => undefined,
    close: async () => undefined,
    request: async ({ method }) => ({
      jsonrpc: '2.0',
      result: method === 'tools/call' ? { content: [...content, { type: 'text', text: 'done' }] } : {},
    }),
  };
  const signal = AbortSignal.timeout(30_000);
  const session = await McpSession.open(transport, signal);
  const { text, isError } = await session.call('x', {}, { signal, key: 'k' });
  expect([text.split('\n').at(-1), isError]).toEqual(['done', false]);
});
