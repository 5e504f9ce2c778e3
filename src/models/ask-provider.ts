import { createOpenAICompatible } from '@ai-sdk/openai-compatible';

import { invalidInput } from '#kernel/problem';

import { type ContentPart, type Generated, type Message, type ToolCall, type ToolSpec, textOf } from './messages.ts';
import { findUsage } from './read-usage.ts';
import type { Target } from './types.ts';

type Model = ReturnType<ReturnType<typeof createOpenAICompatible>['chatModel']>;
type CallOptions = Parameters<Model['doGenerate']>[0];
type Prompt = CallOptions['prompt'];

/** One request to one target, as {@link askProvider} sends it. */
export type Asked = {
  readonly target: Target;
  readonly messages: readonly Message[];
  readonly tools: readonly ToolSpec[];
  readonly maxOutputTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly signal: AbortSignal;
  /** Given: the answer is streamed. Hears text (`shown`) and also hidden reasoning and tool arguments (not `shown`), for what a cut answer had used. */
  readonly onDelta: ((text: string, shown: boolean) => void) | undefined;
  readonly fetch: typeof globalThis.fetch;
};

/** An answer as the provider gave it, before its usage is read. */
export type Answered = Pick<Generated, 'text' | 'toolCalls' | 'finishReason'> & { readonly usage: unknown };

/**
 * Sends one chat request through the AI SDK's provider for OpenAI-compatible APIs: one request, no retries, no tool is run. The SDK's model
 * is called directly, since its loop over steps (`generateText`) belongs to the run's journal here. Rejects with what the SDK or `fetch` throws.
 */
export async function askProvider(asked: Asked): Promise<Answered> {
  const { target } = asked;
  const provider = createOpenAICompatible({
    name: target.provider,
    baseURL: target.baseUrl,
    headers: target.headers(),
    fetch: asked.fetch,
    includeUsage: target.streamUsage,
    transformRequestBody: (body) => {
      const { max_tokens: cap, ...rest } = body;
      return cap === undefined || cap === null ? rest : { ...rest, [target.outputCap.field]: cap };
    },
  });
  const model = provider.chatModel(target.model);
  const options: CallOptions = {
    prompt: promptOf(asked.messages),
    abortSignal: asked.signal,
    ...(asked.maxOutputTokens === undefined ? {} : { maxOutputTokens: asked.maxOutputTokens }),
    ...(asked.temperature === undefined ? {} : { temperature: asked.temperature }),
    ...(asked.tools.length === 0
      ? {}
      : {
          tools: asked.tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            name,
            description,
            inputSchema: parameters,
          })),
        }),
  };
  return asked.onDelta === undefined ? askWhole(model, options) : askStream(model, options, asked.onDelta);
}

/** Thrown when a stream ends without saying why: the provider or the line gave up in the middle. */
export class StreamCut extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StreamCut';
  }
}

async function askWhole(model: Model, options: CallOptions): Promise<Answered> {
  const result = await model.doGenerate(options);
  let text = '';
  const toolCalls: ToolCall[] = [];
  for (const part of result.content) {
    if (part.type === 'text') text += part.text;
    else if (part.type === 'tool-call')
      toolCalls.push({ id: part.toolCallId, name: part.toolName, arguments: part.input ?? '' });
  }
  return {
    text,
    toolCalls,
    finishReason: reasonOf(result.finishReason.unified),
    usage: findUsage(result.response?.body) ?? result.usage.raw,
  };
}

async function askStream(
  model: Model,
  options: CallOptions,
  onDelta: (text: string, shown: boolean) => void,
): Promise<Answered> {
  const { stream } = await model.doStream({ ...options, includeRawChunks: true });
  let text = '';
  const toolCalls: ToolCall[] = [];
  let usage: unknown;
  let finishReason: Generated['finishReason'] | undefined;
  for await (const part of stream) {
    if (part.type === 'raw') usage = findUsage(part.rawValue) ?? usage;
    else if (part.type === 'text-delta') {
      text += part.delta;
      onDelta(part.delta, true);
    } else if (part.type === 'reasoning-delta' || part.type === 'tool-input-delta') onDelta(part.delta, false);
    else if (part.type === 'tool-call')
      toolCalls.push({ id: part.toolCallId, name: part.toolName, arguments: part.input });
    else if (part.type === 'error') throw new StreamCut('The provider broke off its answer.', part.error);
    else if (part.type === 'finish') finishReason = reasonOf(part.finishReason.unified);
  }
  if (finishReason === undefined) throw new StreamCut('The answer ended before it was complete.');
  return { text, toolCalls, finishReason, usage };
}

function reasonOf(unified: string): Generated['finishReason'] {
  return unified === 'stop' || unified === 'length' || unified === 'tool-calls' || unified === 'content-filter'
    ? unified
    : 'other';
}

function promptOf(messages: readonly Message[]): Prompt {
  const names = new Map<string, string>();
  return messages.map((message): Prompt[number] => {
    if (message.role === 'system') return { role: 'system', content: textOf(message.content) };
    if (message.role === 'user')
      return {
        role: 'user',
        content:
          typeof message.content === 'string'
            ? [{ type: 'text', text: message.content }]
            : message.content.map((part) => partOf(part)),
      };
    if (message.role === 'tool')
      return {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            toolCallId: message.toolCallId,
            toolName: names.get(message.toolCallId) ?? '',
            output: { type: 'text', value: message.content },
          },
        ],
      };
    for (const call of message.toolCalls ?? []) names.set(call.id, call.name);
    return {
      role: 'assistant',
      content: [
        ...(message.content === '' ? [] : [{ type: 'text' as const, text: message.content }]),
        ...(message.toolCalls ?? []).map((call) => ({
          type: 'tool-call' as const,
          toolCallId: call.id,
          toolName: call.name,
          // The SDK sends a text as it is.
          input: call.arguments === '' ? '{}' : call.arguments,
        })),
      ],
    };
  });
}

function partOf(part: ContentPart) {
  return part.type === 'text'
    ? { type: 'text' as const, text: part.text }
    : { type: 'file' as const, mediaType: 'image/*', data: { type: 'url' as const, url: imageAddress(part.url) } };
}

function imageAddress(text: string): URL {
  if (!URL.canParse(text)) throw invalidInput('/messages', 'an image needs an absolute address');
  return new URL(text);
}
