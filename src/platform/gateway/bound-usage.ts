import type { Media } from '#models';
import type { Members } from './edit-body.ts';

/** What a request sends at most; its parts that bytes don't bound are counted apart. */
export type UsageBound = { inputTokens: number; media: Media };

const textMembers = ['messages', 'tools', 'functions', 'response_format', 'tool_choice', 'input', 'prompt'];

/** Tokens that a provider adds around each message at most (role, separators). */
const perMessage = 16;

/**
 * An upper bound of a request's input tokens: a token is at least one byte, so the UTF-8 bytes of everything the model reads,
 * plus 16 per message. The JSON spelling of a text is never shorter than the text. Image, audio and file parts count as `media`
 * and not as text; a part of a kind that is not known counts as a file.
 */
export function boundInput(text: string, members: Members, body: Readonly<Record<string, unknown>>): UsageBound {
  const messages: unknown[] = Array.isArray(body['messages']) ? body['messages'] : [];
  const media = { image: 0, audio: 0, file: 0 };
  let apart = 0;
  const withoutMedia = messages.map((message) => {
    const content = (message as { content?: unknown } | null)?.content;
    if (!Array.isArray(content)) return message;
    const texts = content.filter(isText);
    apart += content.length - texts.length;
    for (const part of content) if (!isText(part)) media[kindOf(part)]++;
    return { ...(message as object), content: texts };
  });
  let inputTokens = 0;
  for (const name of textMembers) {
    const span = members.get(name);
    if (span === undefined) continue;
    inputTokens += Buffer.byteLength(
      name === 'messages' && apart > 0 ? JSON.stringify(withoutMedia) : text.slice(span[0], span[1]),
    );
  }
  const input = body['input'];
  // A list of numbers is one text, as tokens.
  const inputs = Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1;
  const count = messages.length > 0 ? messages.length : inputs;
  return { inputTokens: inputTokens + perMessage * count, media };
}

/** The output cap of a request: the smaller of the two members when both are there, so that both hold; undefined when there is none. */
export function outputCap(body: Readonly<Record<string, unknown>>): number | undefined {
  const caps = [body['max_tokens'], body['max_completion_tokens']].filter((value) => typeof value === 'number');
  return caps.length === 0 ? undefined : Math.min(...caps);
}

function isText(part: unknown): boolean {
  const type = (part as { type?: unknown } | null)?.type;
  return type === 'text' || type === 'refusal';
}

function kindOf(part: unknown): keyof Media {
  const type = (part as { type?: unknown } | null)?.type;
  return type === 'image_url' ? 'image' : type === 'input_audio' ? 'audio' : 'file';
}
