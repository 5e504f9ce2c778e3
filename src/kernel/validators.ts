import { Ajv, type ErrorObject } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifyInstance } from 'fastify';

import { Problem, problems } from '#kernel/problem';

/** Validates bodies strictly and queries, params and headers with coercion; what is wrong becomes one problem with pointers. */
export function useValidators(app: FastifyInstance): void {
  const strict = addFormats.default(
    new Ajv({
      allErrors: true,
      coerceTypes: false,
      useDefaults: true,
      removeAdditional: false,
      strict: false,
      discriminator: true,
    }),
  );
  const coerced = addFormats.default(
    new Ajv({ allErrors: true, coerceTypes: 'array', useDefaults: true, removeAdditional: false, strict: false }),
  );
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? strict : coerced).compile(schema as object),
  );
  app.setSchemaErrorFormatter((errors, part) => {
    const places = (errors as unknown as ErrorObject[]).slice(0, 20).map((error) => placeOf(error, part));
    const first = places[0];
    return new Problem(problems.invalid, {
      detail: first === undefined ? 'The input is not valid.' : `${first.pointer || 'The body'}: ${first.detail}.`,
      errors: places,
    });
  });
}

function placeOf(error: ErrorObject, part: string): { pointer: string; detail: string } {
  const base = part === 'body' ? '' : `/${part === 'querystring' ? 'query' : part}`;
  const extra =
    error.keyword === 'additionalProperties'
      ? `/${String(error.params['additionalProperty'])}`
      : error.keyword === 'required'
        ? `/${String(error.params['missingProperty'])}`
        : '';
  const detail =
    error.keyword === 'additionalProperties'
      ? 'is not a member that is taken here'
      : error.keyword === 'required'
        ? 'is missing'
        : error.keyword === 'enum'
          ? `must be one of ${(error.params['allowedValues'] as unknown[]).join(', ')}`
          : (error.message ?? 'is not valid');
  return { pointer: `${base}${error.instancePath}${extra}`, detail };
}
