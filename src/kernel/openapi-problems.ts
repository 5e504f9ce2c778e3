/** The part of an OpenAPI document that is written to here. */
type Document = {
  paths?: Record<string, Record<string, { tags?: string[]; security?: unknown; responses?: Record<string, unknown> }>>;
  components?: { schemas?: Record<string, unknown> };
};

/** RFC 9457, with the members that Lintel's problems have; each kind may add its own. */
const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'requestId'],
  properties: {
    type: { type: 'string', description: 'Stable address of the kind of problem.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'detail'],
        properties: {
          pointer: { type: 'string', description: 'JSON pointer (RFC 6901) to the wrong place.' },
          detail: { type: 'string' },
        },
      },
    },
    requestId: { type: 'string' },
  },
} as const;

/** What protocol routes answer: OpenAI's error beside the problem's members. */
const openaiProblemSchema = {
  allOf: [
    { $ref: '#/components/schemas/Problem' },
    {
      type: 'object',
      required: ['error'],
      properties: {
        error: {
          type: 'object',
          required: ['message', 'type', 'code', 'param'],
          properties: {
            message: { type: 'string' },
            type: { type: 'string' },
            code: { type: ['string', 'null'] },
            param: { type: ['string', 'null'] },
          },
        },
      },
    },
  ],
} as const;

/**
 * Adds to every operation what it answers when it refuses or fails: said once here instead of on every route. `openai` names the
 * operations that speak OpenAI's protocol.
 */
export function withProblems<D extends object>(document: D, openai: ReadonlySet<string>): D {
  const { paths = {}, components = {} } = document as Document;
  for (const item of Object.values(paths)) {
    for (const operation of Object.values(item)) {
      const { operationId } = operation as { operationId?: string };
      const [type, name] = openai.has(operationId ?? '')
        ? ['application/json', 'OpenAIProblem']
        : ['application/problem+json', 'Problem'];
      const content = { [type]: { schema: { $ref: `#/components/schemas/${name}` } } };
      operation.responses = {
        ...operation.responses,
        '4XX': { description: 'The request is refused.', content },
        '5XX': { description: 'Lintel or somebody it asked failed.', content },
      };
    }
  }
  const schemas = { ...components.schemas, Problem: problemSchema, OpenAIProblem: openaiProblemSchema };
  return { ...document, components: { ...components, schemas } };
}
