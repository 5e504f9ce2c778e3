/** The chat completion that upstreams answer with. */
export const completion = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'bench',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'The quick brown fox jumps over the lazy dog. '.repeat(8).trim() },
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 60, completion_tokens: 80, total_tokens: 140 },
});

/** The request that clients send. */
export const question = (more: Record<string, unknown> = {}) =>
  JSON.stringify({
    model: 'double/bench',
    messages: [
      { role: 'system', content: 'You are a helpful assistant who answers in one sentence.' },
      { role: 'user', content: 'Which animal jumps over which other animal, and why would it do that? '.repeat(3) },
    ],
    max_tokens: 100,
    ...more,
  });

const made = new Map<number, Buffer[]>();

/** The events of a stream with so many content chunks, its usage and `[DONE]`. */
export function streamEvents(chunks: number): readonly Buffer[] {
  const there = made.get(chunks);
  if (there !== undefined) return there;
  const chunk = (delta: object, finish: string | null, more: object = {}) => ({
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model: 'bench',
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...more,
  });
  const events = [
    chunk({ role: 'assistant', content: '' }, null),
    ...Array.from({ length: chunks }, (_, n) => chunk({ content: ` word${n}` }, null)),
    chunk({}, 'stop'),
    {
      ...chunk({}, null),
      choices: [],
      usage: { prompt_tokens: 60, completion_tokens: chunks, total_tokens: 60 + chunks },
    },
  ];
  const texts = [...events.map((event) => JSON.stringify(event)), '[DONE]'].map((text) =>
    Buffer.from(`data: ${text}\n\n`),
  );
  made.set(chunks, texts);
  return texts;
}
