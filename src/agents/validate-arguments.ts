import Schema from 'typebox/schema';

import { expandBudget, expandSchema } from './expand-schema.ts';

type Json = Record<string, unknown>;

const maxArgumentChars = 1_000_000;

/** Schemas as they are checked, by the schema of the tool they were made from. */
const checkable = new WeakMap<Json, Json>();

/** Arguments that fit, or what is wrong with them in words for the model. */
export type CheckedArguments = { args: Record<string, unknown> } | { wrong: string };

/**
 * Reads the JSON text a model wrote as arguments and checks it against the tool's JSON Schema. The schema comes from outside and is
 * walked, never compiled: code made from a large one stops this process for seconds. Patterns and formats are left to the tool, since a
 * regular expression from outside could do the same.
 */
export function checkArguments(text: string, schema: Record<string, unknown>): CheckedArguments {
  if (text.length > maxArgumentChars) return { wrong: `The arguments are longer than ${maxArgumentChars} characters.` };
  let args: unknown;
  try {
    args = JSON.parse(text.trim() === '' ? '{}' : text);
  } catch (error) {
    return { wrong: `The arguments are not JSON: ${(error as Error).message}` };
  }
  if (typeof args !== 'object' || args === null || Array.isArray(args))
    return { wrong: 'The arguments are not an object.' };
  const errors = errorsOf(schema, args).map(({ instancePath, message, params }) => {
    const { additionalProperties, allowedValues } = params as {
      additionalProperties?: string[];
      allowedValues?: unknown[];
    };
    const named = additionalProperties ?? allowedValues;
    return `${instancePath || 'the arguments'} ${message}${named === undefined ? '' : ` (${named.slice(0, 50).join(',')})`}`;
  });
  return errors.length > 0
    ? { wrong: `The arguments do not fit: ${errors.slice(0, 5).join('; ')}.` }
    : { args: args as Record<string, unknown> };
}

function errorsOf(schema: Json, args: object): ReturnType<typeof Schema.Errors>[1] {
  try {
    let checked = checkable.get(schema);
    if (checked === undefined) {
      // References written out, or checking could take a time that doubles with each of them.
      checked = loosened(expandSchema(schema, schema, expandBudget())) as Json;
      checkable.set(schema, checked);
    }
    return Schema.Errors(checked, args)[1];
  } catch {
    // A schema that cannot be walked checks nothing; the tool itself still does.
    return [];
  }
}

const patterns = ['pattern', 'patternProperties', 'format', 'contentMediaType', 'contentEncoding'];
// What says that something does not fit, or only one thing does, means something else once patterns are gone.
const negations = [
  'not',
  'if',
  'then',
  'else',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
  'contains',
];
const others = ['$schema', '$id', 'id', '$anchor', '$dynamicAnchor', '$dynamicRef', '$recursiveRef', 'uniqueItems'];
const left = new Set([...patterns, ...negations, ...others]);
const values = new Set(['enum', 'const', 'default', 'examples']);

/** The schema without what is left to the tool: it refuses nothing that the whole one takes. */
function loosened(schema: unknown, names = false): unknown {
  if (Array.isArray(schema)) return schema.map((item) => loosened(item));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { nullable, ...rest } = schema as Json;
  // OpenAPI 3.0's word for it.
  if (!names && nullable === true) return { anyOf: [{ type: 'null' }, loosened(rest)] };
  const kept: [string, unknown][] = [];
  for (const [name, value] of Object.entries(schema)) {
    // Below "properties" the names are the tool's own: a property may be called "pattern".
    if (names) kept.push([name, loosened(value)]);
    else if (values.has(name)) kept.push([name, value]);
    else if (typeof value === 'boolean' && name.startsWith('exclusive')) continue;
    else if (left.has(name) || (name === 'additionalProperties' && 'patternProperties' in schema)) continue;
    else if (name !== 'oneOf')
      kept.push([name, loosened(value, ['properties', '$defs', 'definitions'].includes(name))]);
    else if (!('anyOf' in schema)) kept.push(['anyOf', loosened(value)]);
  }
  return Object.fromEntries(kept);
}
