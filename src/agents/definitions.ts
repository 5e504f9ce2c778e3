import Type, { type Static } from 'typebox';

import { DECIMAL_PATTERN } from '#kernel/money';

const strict = { additionalProperties: false };

/** Names of agents, tools and aliases: they stand in `agent/<name>@<version>` and in tool names. */
export const Name = Type.String({ pattern: '^[a-z][a-z0-9]*(-[a-z0-9]+)*$', minLength: 1, maxLength: 40 });

/** Bounds of one run. `maxSeconds` counts work, not waiting for people. */
export const Guardrails = Type.Object(
  {
    maxSteps: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'Model calls. Default 20.' })),
    maxTokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
    maxMoney: Type.Optional(Type.String({ pattern: DECIMAL_PATTERN, description: "In the tenant's currency." })),
    maxSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400, description: 'Default 600.' })),
    maxOutputTokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Of one model call.' })),
  },
  strict,
);
/** See the schema. */
export type Guardrails = Static<typeof Guardrails>;

/** A tool source as an agent uses it. */
export const ToolUse = Type.Object(
  {
    tool: Type.String({
      minLength: 1,
      maxLength: 80,
      description: 'The id of a tool source, `clock`, `calculator`, `lintel`, or `agent/<name>[@version]`.',
    }),
    only: Type.Optional(Type.Array(Type.String({ maxLength: 128 }), { maxItems: 200, description: 'Default: all.' })),
    approval: Type.Optional(
      Type.Union([Type.Literal('never'), Type.Literal('writes'), Type.Literal('always')], {
        description: 'When a person must say yes. `writes`: unless known to change nothing. Default `never`.',
      }),
    ),
  },
  strict,
);
/** See the schema. */
export type ToolUse = Static<typeof ToolUse>;

const Model = Type.String({
  pattern: '^[^/\\s]+/\\S+$',
  maxLength: 200,
  description: '`provider/model`. Default, where no model is connected: lintel/router.',
});

const Native = Type.Object(
  {
    kind: Type.Literal('native'),
    instructions: Type.String({ maxLength: 65_536 }),
    model: Type.Optional(Model),
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
    tools: Type.Optional(Type.Array(ToolUse, { maxItems: 64 })),
    guardrails: Type.Optional(Guardrails),
  },
  strict,
);

const Pointer = Type.String({
  pattern: '^(/([^~/]|~[01])*)*$',
  maxLength: 200,
  description: 'JSON pointer, RFC 6901.',
});

const External = Type.Object(
  {
    kind: Type.Literal('external'),
    protocol: Type.Union([Type.Literal('openai'), Type.Literal('http')]),
    url: Type.String({ pattern: '^https?://', maxLength: 2_000 }),
    model: Type.Optional(Type.String({ maxLength: 200, description: 'Sent as `model` (openai). Default: the name.' })),
    idempotent: Type.Optional(
      Type.Boolean({ description: 'Whether it honours the Idempotency-Key header; else it is called once at most.' }),
    ),
    request: Type.Optional(
      Type.Object(
        {
          fixed: Type.Optional(
            Type.Record(Type.String(), Type.Unknown(), { description: 'Members sent as they are.' }),
          ),
          text: Type.Optional(Pointer),
          messages: Type.Optional(Pointer),
        },
        { ...strict, description: 'http: where the last user text and all messages go. Default: text at /input.' },
      ),
    ),
    response: Type.Optional(
      Type.Object(
        { text: Type.Optional(Pointer), inputTokens: Type.Optional(Pointer), outputTokens: Type.Optional(Pointer) },
        { ...strict, description: 'http: where the answer stands. Default: text at /output.' },
      ),
    ),
    guardrails: Type.Optional(Guardrails),
  },
  strict,
);

/** A native agent: Lintel runs the loop. */
export type NativeDefinition = Static<typeof Native> & { model: string };
/** An agent that runs elsewhere: Lintel governs, meters and prices it. */
export type ExternalDefinition = Static<typeof External>;
/** What an agent is. */
export type Definition = NativeDefinition | ExternalDefinition;

/** What an agent is to be; a native one may leave its model to {@link Definition}'s default. */
export type NewDefinition = Static<typeof Native> | ExternalDefinition;

/** The two kinds behind one discriminator: errors then name the place within the kind that was meant. */
export const NewDefinition = Type.Unsafe<NewDefinition>({
  type: 'object',
  required: ['kind'],
  discriminator: { propertyName: 'kind' },
  oneOf: [Native, External],
});

/** A tool source, by kind. Secrets are written, never read back. */
export type ToolConfig =
  | { kind: 'mcp_http'; url: string; idempotent?: string[] }
  | { kind: 'mcp_stdio'; command: string; idempotent?: string[] }
  | {
      kind: 'openapi';
      document?: Record<string, unknown>;
      documentUrl?: string;
      baseUrl?: string;
      idempotent?: string[];
    };

const Idempotent = Type.Optional(
  Type.Array(Type.String({ maxLength: 128 }), {
    maxItems: 500,
    description: 'Functions that may be called again with the same idempotency key.',
  }),
);
const Url = Type.String({ pattern: '^https?://', maxLength: 2_000 });

/** See {@link ToolConfig}. */
export const ToolConfig = Type.Unsafe<ToolConfig>({
  type: 'object',
  required: ['kind'],
  discriminator: { propertyName: 'kind' },
  oneOf: [
    Type.Object({ kind: Type.Literal('mcp_http'), url: Url, idempotent: Idempotent }, strict),
    Type.Object(
      {
        kind: Type.Literal('mcp_stdio'),
        command: Type.String({ maxLength: 100, description: "The name of a command of the operator's list." }),
        idempotent: Idempotent,
      },
      strict,
    ),
    Type.Object(
      {
        kind: Type.Literal('openapi'),
        document: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
        documentUrl: Type.Optional(Url),
        baseUrl: Type.Optional(Url),
        idempotent: Idempotent,
      },
      strict,
    ),
  ],
});

/** Headers (or, for stdio, environment variables) that go along with every call. */
export const SecretValues = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9_-]{1,100}$' }),
  Type.String({ maxLength: 8_192, pattern: '^[\\x20-\\x7e]*$' }),
  {
    maxProperties: 30,
  },
);

/** The guardrails of a run once defaults are filled in. */
export type Bounds = Guardrails & { maxSteps: number; maxSeconds: number };

/** Fills in what a definition leaves open. */
export function boundsOf(guardrails: Guardrails | undefined): Bounds {
  return { maxSteps: 20, maxSeconds: 600, ...guardrails };
}
