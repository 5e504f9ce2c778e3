import { Ajv, type ValidateFunction } from 'ajv';

const compiled = new Map<string, ValidateFunction | undefined>();
const maxCompiled = 500;
const maxSchemaChars = 200_000;

/** Arguments that fit, or what is wrong with them in words for the model. */
export type CheckedArguments = { args: Record<string, unknown> } | { wrong: string };

/**
 * Reads the JSON text a model wrote as arguments and checks it against the tool's JSON Schema. Patterns and formats are left to
 * the tool: a schema comes from outside, and a regular expression from outside could stop this process.
 */
export function checkArguments(text: string, schema: Record<string, unknown>): CheckedArguments {
  let args: unknown;
  try {
    args = JSON.parse(text.trim() === '' ? '{}' : text);
  } catch (error) {
    return { wrong: `The arguments are not JSON: ${(error as Error).message}` };
  }
  if (typeof args !== 'object' || args === null || Array.isArray(args))
    return { wrong: 'The arguments are not an object.' };
  const validate = validatorOf(schema);
  if (validate !== undefined && !validate(args)) {
    const errors = (validate.errors ?? []).slice(0, 5).map((error) => {
      const name = error.params['additionalProperty'] ?? error.params['allowedValues'];
      return `${error.instancePath || 'the arguments'} ${error.message}${name === undefined ? '' : ` (${String(name)})`}`;
    });
    return { wrong: `The arguments do not fit: ${errors.join('; ')}.` };
  }
  return { args: args as Record<string, unknown> };
}

function validatorOf(schema: Record<string, unknown>): ValidateFunction | undefined {
  const key = JSON.stringify(schema);
  if (compiled.has(key)) return compiled.get(key);
  if (compiled.size >= maxCompiled) compiled.delete(compiled.keys().next().value as string);
  let validate: ValidateFunction | undefined;
  try {
    if (key.length <= maxSchemaChars) {
      const ajv = new Ajv({ strict: false, allErrors: false, validateFormats: false, addUsedSchema: false });
      validate = ajv.compile(withoutPatterns(schema) as object);
    }
  } catch {
    // A schema that does not compile here checks nothing; the tool itself still does.
  }
  compiled.set(key, validate);
  return validate;
}

function withoutPatterns(schema: unknown, names = false): unknown {
  if (Array.isArray(schema)) return schema.map((item) => withoutPatterns(item));
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept: [string, unknown][] = [];
  for (const [name, value] of Object.entries(schema)) {
    // Below "properties" the names are the tool's own: a property may be called "pattern".
    if (!names && ['pattern', 'patternProperties', '$schema', '$id', 'id', 'format'].includes(name)) continue;
    if (!names && ['enum', 'const', 'default', 'examples'].includes(name)) kept.push([name, value]);
    else kept.push([name, withoutPatterns(value, !names && ['properties', '$defs', 'definitions'].includes(name))]);
  }
  return Object.fromEntries(kept);
}
