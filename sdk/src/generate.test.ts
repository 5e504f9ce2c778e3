import { expect, it } from 'vitest';

// @ts-expect-error -- a plain script without types
const { generate, typeOf } = await import('#generate');

it.each([
  [{ type: 'string' }, 'string'],
  [{ type: ['string', 'null'] }, '(string | null)'],
  [{ anyOf: [{ const: 'a' }, { const: 'b' }] }, '("a" | "b")'],
  [{ type: 'array', items: { type: 'integer' } }, 'Array<number>'],
  [{ type: 'object', additionalProperties: { type: 'number' } }, 'Record<string, number>'],
  [
    { type: 'object', properties: { a: { type: 'string' }, 'b-c': {} }, required: ['a'] },
    "{\n  a: string;\n  'b-c'?: unknown;\n}",
  ],
  [{}, 'unknown'],
  [{ $ref: '#/components/schemas/Key' }, 'Schemas["Key"]'],
])('reads %j', (schema, type) => {
  expect(typeOf(schema)).toBe(type);
});

it('writes one entry per operation and a table by module', () => {
  const text = generate({
    paths: {
      '/v1/things/{id}': {
        get: {
          operationId: 'things.get',
          summary: 'One thing',
          parameters: [
            { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
            { name: 'deep', in: 'query', schema: { type: 'boolean' } },
          ],
          responses: {
            200: { content: { 'application/json': { schema: { type: 'null' } } } },
            404: { content: { 'application/json': { schema: { type: 'string' } } } },
          },
        },
      },
    },
  });
  expect(text).toContain(
    "'GET /v1/things/{id}': {\n    input: { path: { id: string }; query?: { deep?: boolean } };\n    answer: null;",
  );
  expect(text).toContain("things: {\n    get: 'GET /v1/things/{id}',");
});

it('refuses an operation without a name', () => {
  expect(() => generate({ paths: { '/v1/x': { get: {} } } })).toThrow('GET /v1/x');
});
