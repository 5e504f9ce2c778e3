import type { Message } from '#models';
import { lastUserText, toOpenai } from './conversation.ts';
import type { ExternalDefinition } from './definitions.ts';
import { valueAt, withValueAt } from './json-pointer.ts';
import { neverSent } from './mcp-http.ts';
import type { EgressPort, Quantities } from './ports.ts';
import { eventsOf } from './sse-stream.ts';
import { boundedText, headersOf, ToolNotCalled } from './tool-functions.ts';

const maxAnswerBytes = 8_388_608;

/** One call of an agent that runs elsewhere. `headers` are its own, unsealed. */
export type ExternalCall = {
  egress: EgressPort;
  tenantId: string;
  name: string;
  definition: ExternalDefinition;
  headers: Record<string, string>;
  messages: readonly Message[];
  key: string;
  /** Output cap, where the agent's owner sets one (openai). */
  maxTokens?: number;
  signal: AbortSignal;
  onText?: (delta: string) => void;
};

/** What it answered; `quantities` are what it says it used, empty when it says nothing. */
export type ExternalAnswer = { text: string; finishReason: string; quantities: Quantities };

/** The agent answered, but not with an answer: nothing is in doubt. The message may be shown to the tenant. */
export class ExternalRefused extends Error {}

/**
 * Calls an external agent: OpenAI's chat completions (streamed when somebody listens), or any JSON over HTTP by mapping. Throws
 * {@link ToolNotCalled} when it was certainly not reached, {@link ExternalRefused} when it refused; anything else leaves the
 * effect in doubt.
 */
export async function callExternal(call: ExternalCall): Promise<ExternalAnswer> {
  const { definition } = call;
  const openai = definition.protocol === 'openai';
  const streamed = openai && call.onText !== undefined;
  const url =
    openai && !definition.url.endsWith('/chat/completions')
      ? `${definition.url.replace(/\/$/, '')}/chat/completions`
      : definition.url;
  let response: Response;
  try {
    response = await call.egress.fetch(call.tenantId)(url, {
      method: 'POST',
      redirect: 'manual',
      headers: headersOf(call.headers, {
        'content-type': 'application/json',
        accept: streamed ? 'text/event-stream' : 'application/json',
        'idempotency-key': call.key,
      }),
      body: JSON.stringify(openai ? openaiBody(call, streamed) : httpBody(definition, call.messages)),
      signal: call.signal,
    });
  } catch (error) {
    if (neverSent(error))
      throw new ToolNotCalled(`The external agent cannot be reached: ${(error as Error).message}`, error);
    throw error;
  }
  if (!response.ok) {
    const detail = (await boundedText(response, 65_536).catch(() => '')).slice(0, 500);
    throw new ExternalRefused(`The external agent answered ${response.status}${detail === '' ? '' : `: ${detail}`}`);
  }
  if (streamed && (response.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
    return readStream(response, call.onText as (delta: string) => void);
  }
  const answer = readJson(await boundedText(response, maxAnswerBytes));
  const read = openai ? readOpenai(answer) : readHttp(answer, definition);
  call.onText?.(read.text);
  return read;
}

function openaiBody(call: ExternalCall, streamed: boolean): Record<string, unknown> {
  return {
    model: call.definition.model ?? call.name,
    messages: toOpenai(call.messages),
    ...(call.maxTokens === undefined ? {} : { max_tokens: call.maxTokens }),
    ...(streamed ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
}

function httpBody(definition: ExternalDefinition, messages: readonly Message[]): unknown {
  const request = definition.request ?? { text: '/input' };
  let body: unknown = request.fixed ?? {};
  if (request.text !== undefined) body = withValueAt(body, request.text, lastUserText(messages));
  if (request.messages !== undefined) body = withValueAt(body, request.messages, toOpenai(messages));
  return body;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ExternalRefused(`The external agent's answer is not JSON: ${(error as Error).message}`);
  }
}

function readOpenai(answer: unknown): ExternalAnswer {
  const text = valueAt(answer, '/choices/0/message/content');
  if (typeof text !== 'string')
    throw new ExternalRefused("The external agent's answer has no choices[0].message.content.");
  return {
    text,
    finishReason: textOr(valueAt(answer, '/choices/0/finish_reason'), 'stop'),
    quantities: tokensOf(valueAt(answer, '/usage/prompt_tokens'), valueAt(answer, '/usage/completion_tokens')),
  };
}

function readHttp(answer: unknown, definition: ExternalDefinition): ExternalAnswer {
  const { text: at = '/output', inputTokens, outputTokens } = definition.response ?? {};
  const text = valueAt(answer, at);
  if (text === undefined || text === null)
    throw new ExternalRefused(`The external agent's answer has nothing at ${at}.`);
  const read = (pointer: string | undefined) => (pointer === undefined ? undefined : valueAt(answer, pointer));
  return {
    text: typeof text === 'string' ? text : JSON.stringify(text),
    finishReason: 'stop',
    quantities: tokensOf(read(inputTokens), read(outputTokens)),
  };
}

async function readStream(response: Response, onText: (delta: string) => void): Promise<ExternalAnswer> {
  let text = '';
  let finishReason: string | undefined;
  let quantities: Quantities = {};
  for await (const data of eventsOf(response.body ?? new ReadableStream(), maxAnswerBytes)) {
    if (data === '[DONE]') break;
    const chunk = readJson(data);
    const delta = valueAt(chunk, '/choices/0/delta/content');
    if (typeof delta === 'string' && delta !== '') {
      text += delta;
      onText(delta);
    }
    finishReason = textOr(valueAt(chunk, '/choices/0/finish_reason'), finishReason);
    const usage = valueAt(chunk, '/usage');
    if (typeof usage === 'object' && usage !== null) {
      quantities = tokensOf(valueAt(usage, '/prompt_tokens'), valueAt(usage, '/completion_tokens'));
    }
  }
  if (finishReason === undefined) throw new Error('The external agent ended its stream in the middle.');
  return { text, finishReason, quantities };
}

/** Above this an answer's count of tokens is taken for none: sums of many stay whole numbers. */
const mostTokens = 1_000_000_000;

/** Only whole numbers of a possible size count: what comes from outside goes on a bill. */
function tokensOf(input: unknown, output: unknown): Quantities {
  const told = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= mostTokens;
  const quantities: Record<string, number> = {};
  if (told(input)) quantities['input_tokens'] = input as number;
  if (told(output)) quantities['output_tokens'] = output as number;
  return quantities;
}

/** A text as it is, anything else as `other`: String() of an object from outside may throw. */
function textOr<T>(value: unknown, other: T): string | T {
  return typeof value === 'string' ? value : other;
}
