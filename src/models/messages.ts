import type { routeMessage } from '#models/router';

import type { Quantities, Target } from './types.ts';

/** A tool call as a model asks for it; `arguments` is the JSON text it wrote, which may be broken. */
export type ToolCall = { readonly id: string; readonly name: string; readonly arguments: string };

/** A part of a user's message: text, or an image by address (`https:` or `data:`). */
export type ContentPart = { type: 'text'; text: string } | { type: 'image'; url: string };

/** A message of a conversation with a model. */
export type Message =
  | { readonly role: 'system'; readonly content: string | readonly ContentPart[] }
  | { readonly role: 'user'; readonly content: string | readonly ContentPart[] }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly content: string };

/** A function offered to a model; `parameters` is a JSON Schema of type object. */
export type ToolSpec = {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
};

/** One model call. */
export type GenerateRequest = {
  readonly target: Target;
  readonly messages: readonly Message[];
  readonly tools?: readonly ToolSpec[];
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly abortSignal?: AbortSignal;
  /** Hears the text as it comes; without it the answer is asked for in one piece. */
  readonly onDelta?: (text: string) => void;
  /** For the deterministic router: the IANA zone its dates are meant in; UTC when absent. */
  readonly timeZone?: string;
};

/** One try of one target, as the call's row keeps it. `status` is the provider's, or what went wrong on the way. */
export type Attempt = { provider: string; model: string; status: number | string; ms: number };

/** What a model call gave. */
export type Generated = {
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
  readonly quantities: Quantities;
  /** True when the provider reported no usable usage and `quantities` are estimated from bytes. */
  readonly estimated: boolean;
  readonly finishReason: 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'other';
  /** The target that answered: the asked one or a fallback. */
  readonly target: Target;
  readonly attempts: readonly Attempt[];
  /** The provider's own `usage`, as it came; undefined when there was none. */
  readonly raw: unknown;
};

/** The deterministic router as it is called here. */
export type RouteMessage = typeof routeMessage;

/** UTF-8 bytes of a conversation's text and tools: what input tokens are estimated from. */
export function bytesOf(messages: readonly Message[], tools: readonly ToolSpec[] = []): number {
  let bytes = tools.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(tools));
  for (const message of messages) {
    const parts = typeof message.content === 'string' ? [message.content] : message.content.map(textOf);
    for (const part of parts) bytes += Buffer.byteLength(part);
    if (message.role === 'assistant')
      for (const call of message.toolCalls ?? [])
        bytes += Buffer.byteLength(call.name) + Buffer.byteLength(call.arguments);
  }
  return bytes;
}

/** The text of a message's content; images have none. */
export function textOf(content: string | ContentPart | readonly ContentPart[]): string {
  if (typeof content === 'string') return content;
  if (!('type' in content)) return content.map(textOf).join('');
  return content.type === 'text' ? content.text : '';
}
