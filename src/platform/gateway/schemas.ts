import Type from 'typebox';

/** A chat completion request, as far as the gateway reads it; unknown members are forwarded. */
export const ChatRequest = Type.Object(
  {
    model: Type.String({ minLength: 1, maxLength: 300, description: '`provider/model` or `agent/name[@version]`.' }),
    messages: Type.Array(Type.Object({ role: Type.String() }, { additionalProperties: true }), {
      minItems: 1,
      maxItems: 10_000,
    }),
    stream: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
    stream_options: Type.Optional(
      Type.Union([
        Type.Object({ include_usage: Type.Optional(Type.Boolean()) }, { additionalProperties: true }),
        Type.Null(),
      ]),
    ),
    max_tokens: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 10_000_000 }), Type.Null()])),
    max_completion_tokens: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 10_000_000 }), Type.Null()])),
    n: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 128 }), Type.Null()])),
    tools: Type.Optional(Type.Array(Type.Object({}, { additionalProperties: true }), { maxItems: 1_000 })),
  },
  { additionalProperties: true },
);

/** An embeddings request, as far as the gateway reads it. */
export const EmbeddingsRequest = Type.Object(
  {
    model: Type.String({ minLength: 1, maxLength: 300 }),
    input: Type.Union([
      Type.String({ minLength: 1 }),
      Type.Array(Type.String(), { minItems: 1, maxItems: 2_048 }),
      Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 }),
      Type.Array(Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 }), { minItems: 1, maxItems: 2_048 }),
    ]),
  },
  { additionalProperties: true },
);

/** OpenAI's list of models; Lintel's own facts about each under `lintel`. */
export const ModelList = Type.Object({
  object: Type.Literal('list'),
  data: Type.Array(
    Type.Object({
      id: Type.String(),
      object: Type.Literal('model'),
      created: Type.Integer(),
      owned_by: Type.String(),
      lintel: Type.Optional(Type.Object({}, { additionalProperties: true })),
    }),
  ),
});

/** Any JSON object: answers that pass through. */
export const AnyAnswer = Type.Object({}, { additionalProperties: true });
