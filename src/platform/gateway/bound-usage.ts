import type { Members } from './edit-body.ts';

/** What a request may use at most. `media`: image, audio and file parts, which bytes don't bound. */
export type UsageBound = { inputTokens: number; media: number };

const textMembers = ['messages', 'tools', 'functions', 'response_format', 'tool_choice', 'input', 'prompt'];

/** Tokens that a provider adds around each message at most (role, separators). */
const perMessage = 16;

/**
 * An upper bound of a request's input tokens: a token is at least one byte, so the UTF-8 bytes of everything the model reads,
 * plus 16 per message. The JSON spelling of a text is never shorter than the text. Image, audio and file parts count as `media`
 * and not as text.
 */
export function boundInput(text: string, members: Members, body: Readonly<Record<string, unknown>>): UsageBound {
  const messages: unknown[] = Array.isArray(body['messages']) ? body['messages'] : [];
  let media = 0;
  const withoutMedia = messages.map((message) => {
    const content = (message as { content?: unknown } | null)?.content;
    if (!Array.isArray(content)) return message;
    const texts = content.filter(isText);
    media += content.length - texts.length;
    return { ...(message as object), content: texts };
  });
  let inputTokens = 0;
  for (const name of textMembers) {
    const span = members.get(name);
    if (span === undefined) continue;
    inputTokens += Buffer.byteLength(
      name === 'messages' && media > 0 ? JSON.stringify(withoutMedia) : text.slice(span[0], span[1]),
    );
  }
  const input = body['input'];
  // A list of numbers is one text, as tokens.
  const inputs = Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1;
  const count = messages.length > 0 ? messages.length : inputs;
  return { inputTokens: inputTokens + perMessage * count, media };
}

/** The output cap of a request: the larger of the two members when both are there; undefined when there is none. */
export function outputCap(body: Readonly<Record<string, unknown>>): number | undefined {
  const caps = [body['max_tokens'], body['max_completion_tokens']].filter((value) => typeof value === 'number');
  return caps.length === 0 ? undefined : Math.max(...caps);
}

function isText(part: unknown): boolean {
  const type = (part as { type?: unknown } | null)?.type;
  return type === 'text' || type === 'refusal';
}
