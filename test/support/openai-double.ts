import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What a double does instead of, or besides, answering normally. Written as words joined by dashes, in the model's name
 * (`double-slow-500-cut-3`), in the header `x-double-fault: slow-500-cut-3`, or in {@link OpenAiDouble.script}.
 */
export interface Faults {
  /** `slow-MS`: milliseconds before the first byte. */
  slow?: number;
  /** `gap-MS`: milliseconds between chunks of a stream (without it chunks leave one per turn of the event loop). */
  gap?: number;
  /** `cut-N`: the socket is destroyed after N chunks; a plain answer is cut in the middle of its body (N = 0: before any byte). */
  cut?: number;
  /** `error-N`: after N chunks the stream carries an error object and ends without `[DONE]`. */
  error?: number;
  /** `hang`: never answers; `hang-N`: falls silent after N chunks. */
  hang?: number;
  /** `status-CODE`: answers with that status and OpenAI's error body. */
  status?: number;
  /** `once`: after a `status`: only the first request with this model name gets it. */
  once?: boolean;
  /** `garbage`: 200 with something that is not the promised JSON. */
  garbage?: boolean;
  /** `nousage`: the answer has no `usage`, as some compatible servers do. */
  nousage?: boolean;
  /** `tokens-N`: exactly N output tokens per choice (still below the request's cap). */
  tokens?: number;
  /** `chunks-N`: the text of a stream comes in exactly N content chunks. */
  chunks?: number;
  /** `prompt-N`: `usage.prompt_tokens` is N, whatever was sent. */
  prompt?: number;
  /** `cached-N`: N of the prompt tokens are reported as `prompt_tokens_details.cached_tokens`. */
  cached?: number;
  /** `reasoning-N`: N hidden tokens are added to the output and reported as `completion_tokens_details.reasoning_tokens`. */
  reasoning?: number;
}

/** Token counts in OpenAI's form. */
export interface DoubleUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number; audio_tokens: number };
  completion_tokens_details: { reasoning_tokens: number; audio_tokens: number };
}

/** One request as the double saw it. */
export interface RecordedRequest {
  /** 1 for the first request of this double. */
  seq: number;
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** The bearer token, without `Bearer `. */
  key: string | undefined;
  /** The exact body text. */
  raw: string;
  /** The parsed body; undefined when there was none or it was not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary request bodies
  body: any;
  /** The status answered; 0 while unanswered or hung. */
  status: number;
  /** Server-sent `data:` events written so far. */
  chunks: number;
  /** What a real provider would charge for, whether or not it reached the client; undefined for errors. */
  usage: DoubleUsage | undefined;
  /** True when the client closed the connection before the answer was complete (never set by the double's own cuts). */
  aborted: boolean;
}

/** Settings of {@link startOpenAiDouble}. */
export interface OpenAiDoubleOptions {
  host?: string;
  port?: number;
  /** Accepted bearer tokens; others get 401. Default: {@link DOUBLE_KEY}. */
  keys?: string[];
  /** Model ids of `GET /models`; a request may add `-<faults>` to any of them. Default: `double`, `double-embedding`. */
  models?: string[];
  /** How many requests `requests` holds at least (older ones are dropped beyond twice as many); 0 records none. Default 10,000. */
  record?: number;
}

/** A running double. */
export interface OpenAiDouble {
  /** Base URL with `/v1`, as OpenAI clients take it. */
  url: string;
  port: number;
  /** Requests in order of arrival. */
  requests: RecordedRequest[];
  /** All requests since the start, recorded or not. */
  count(): number;
  /** Queues faults: the next chat or embedding requests take one each, before those of header and model name. `''` is a normal answer. */
  script(faults: (Faults | string)[]): void;
  /** Ends the server and every open connection. */
  close(): Promise<void>;
}

/** The key the double accepts unless told otherwise. */
export const DOUBLE_KEY = 'sk-double';

/** Tokens of a text as the double counts them: ⌈UTF-8 bytes / 4⌉. */
export function doubleTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/**
 * Starts a local OpenAI-compatible provider (`/v1/chat/completions`, `/v1/embeddings`, `/v1/models`), after the public API
 * reference at https://platform.openai.com/docs/api-reference. Answers depend on the request alone:
 * - by default the last user message comes back as `You said: …`; `say:TEXT` answers exactly TEXT;
 * - `call:TOOL {json}` in it calls that tool when the request offers it; several are parallel calls, ` then ` between them
 *   makes consecutive steps; after the last tool result the answer is `Done: <results>`;
 * - tokens are {@link doubleTokens}, of messages 4 more each; an image part is 85; caps and `stop` are honoured.
 */
export async function startOpenAiDouble(options: OpenAiDoubleOptions = {}): Promise<OpenAiDouble> {
  const keys = new Set(options.keys ?? [DOUBLE_KEY]);
  const models = options.models ?? ['double', 'double-embedding'];
  const limit = options.record ?? 10_000;
  const requests: RecordedRequest[] = [];
  const queue: Faults[] = [];
  const failedOnce = new Set<string>();
  let seq = 0;

  function faultsOf(req: IncomingMessage, model: string, base: string): Faults {
    const scripted = queue.shift();
    if (scripted) return scripted;
    const header = req.headers['x-double-fault'];
    if (typeof header === 'string') return parseFaults(header);
    const faults = parseFaults(model.slice(base.length + 1));
    if (faults.once) {
      if (failedOnce.has(model)) delete faults.status;
      failedOnce.add(model);
    }
    return faults;
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    seq += 1;
    const record: RecordedRequest = {
      seq,
      method: req.method ?? '',
      path: (req.url ?? '').split('?')[0] ?? '',
      headers: req.headers,
      key: /^Bearer (.+)$/i.exec(req.headers.authorization ?? '')?.[1],
      raw: '',
      body: undefined,
      status: 0,
      chunks: 0,
      usage: undefined,
      aborted: false,
    };
    if (limit > 0) {
      requests.push(record);
      if (requests.length > limit * 2) requests.splice(0, limit);
    }
    const exchange: Exchange = { req, res, record, cut: false };
    res.on('close', () => {
      if (!res.writableFinished && !exchange.cut) record.aborted = true;
    });
    try {
      record.raw = await readBody(req);
      await route(exchange);
    } catch (error) {
      if (res.destroyed) return;
      if (error instanceof ApiError) sendError(exchange, error);
      else sendError(exchange, new ApiError(500, `The double itself failed: ${String(error)}`));
    }
  }

  async function route(exchange: Exchange): Promise<void> {
    const { req, record } = exchange;
    if (record.key === undefined) throw new ApiError(401, "You didn't provide an API key.");
    if (!keys.has(record.key)) {
      throw new ApiError(401, `Incorrect API key provided: ${record.key.slice(0, 8)}***.`, 'invalid_api_key');
    }
    if (record.method === 'GET' && record.path === '/v1/models') {
      return sendJson(exchange, 200, { object: 'list', data: models.map(modelObject) });
    }
    if (record.method === 'GET' && record.path.startsWith('/v1/models/')) {
      const id = decodeURIComponent(record.path.slice('/v1/models/'.length));
      if (!models.includes(id)) throw unknownModel(id);
      return sendJson(exchange, 200, modelObject(id));
    }
    const answer = record.method === 'POST' ? POSTS[record.path] : undefined;
    if (!answer) throw new ApiError(404, `Invalid URL (${record.method} ${record.path})`);
    try {
      record.body = JSON.parse(record.raw);
    } catch {
      throw new ApiError(400, 'We could not parse the JSON body of your request.');
    }
    if (typeof record.body?.model !== 'string')
      throw new ApiError(400, 'you must provide a model parameter', null, 'model');
    const model: string = record.body.model;
    const base = models.filter((m) => model === m || model.startsWith(`${m}-`)).sort((a, b) => b.length - a.length)[0];
    if (base === undefined) throw unknownModel(model);
    const faults = faultsOf(req, model, base);
    if (faults.slow) await sleep(faults.slow, undefined, { ref: false });
    if (exchange.res.destroyed) return;
    if (faults.status) throw statusError(faults.status, model);
    if (faults.garbage && !record.body.stream) {
      record.status = 200;
      exchange.res.writeHead(200, { 'content-type': 'application/json' }).end('<html>{"choices": [');
      return;
    }
    await answer(exchange, faults);
  }

  const server = createServer((req, res) => void handle(req, res));
  // Idle connections are the client's to close: a server-side timeout would race with reuse and look like a fault.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, 1024, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}/v1`,
    port,
    requests,
    count: () => seq,
    script: (faults) => void queue.push(...faults.map((f) => (typeof f === 'string' ? parseFaults(f) : f))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
  record: RecordedRequest;
  /** The double itself ended this connection. */
  cut: boolean;
}

interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

interface Reply {
  content: string | null;
  toolCalls: ToolCall[];
  finish: 'stop' | 'length' | 'tool_calls';
  /** Output tokens of one choice, hidden reasoning included. */
  tokens: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a request body is whatever the client sent; the checks below are the contract
type Body = any;

class ApiError extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
  readonly type: string;
  constructor(status: number, message: string, code: string | null = null, param: string | null = null, type?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
    this.type = type ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
  }
}

const POSTS: Record<string, (exchange: Exchange, faults: Faults) => Promise<void>> = {
  '/v1/chat/completions': chat,
  '/v1/embeddings': embeddings,
};

const NUMERIC = new Set(['slow', 'gap', 'cut', 'error', 'status', 'tokens', 'chunks', 'prompt', 'cached', 'reasoning']);

function parseFaults(text: string): Faults {
  const faults: Record<string, number | boolean> = {};
  const words = text.split('-').filter((w) => w !== '');
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const next = words[i + 1];
    const number = next !== undefined && /^\d+$/.test(next) ? Number(next) : undefined;
    if (NUMERIC.has(word)) {
      if (number === undefined) throw new ApiError(400, `The fault ${word} needs a number: ${word}-N.`, null, 'model');
      faults[word] = number;
      i += 1;
    } else if (word === 'hang') {
      faults['hang'] = number ?? 0;
      if (number !== undefined) i += 1;
    } else if (word === 'once' || word === 'garbage' || word === 'nousage') {
      faults[word] = true;
    } else throw unknownModel(text);
  }
  return faults as Faults;
}

function unknownModel(model: string): ApiError {
  return new ApiError(404, `The model \`${model}\` does not exist or you do not have access to it.`, 'model_not_found');
}

function statusError(status: number, model: string): ApiError {
  if (status === 429)
    return new ApiError(429, `Rate limit reached for ${model}.`, 'rate_limit_exceeded', null, 'requests');
  if (status === 402)
    return new ApiError(402, 'You exceeded your current quota.', 'insufficient_quota', null, 'insufficient_quota');
  return new ApiError(
    status,
    status >= 500 ? 'The server had an error while processing your request.' : `Refused with ${status}.`,
  );
}

function modelObject(id: string) {
  return { id, object: 'model', created: 1_700_000_000, owned_by: 'double' };
}

async function readBody(req: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of req) parts.push(part as Buffer);
  return parts.length === 1 ? (parts[0] as Buffer).toString() : Buffer.concat(parts).toString();
}

function sendJson(exchange: Exchange, status: number, value: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(value);
  exchange.record.status = status;
  exchange.res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-request-id': `req_double_${exchange.record.seq}`,
    ...headers,
  });
  exchange.res.end(text);
}

function sendError(exchange: Exchange, error: ApiError): void {
  const headers: Record<string, string> = error.status === 429 ? { 'retry-after': '1' } : {};
  if (exchange.res.headersSent) exchange.res.end();
  else sendJson(exchange, error.status, { error: errorObject(error) }, headers);
}

function errorObject(error: ApiError) {
  return { message: error.message, type: error.type, param: error.param, code: error.code };
}

function cut(exchange: Exchange): void {
  exchange.cut = true;
  exchange.res.destroy();
}

/** Waits for the client to give up: what a hung provider looks like. */
function hang(exchange: Exchange): Promise<void> {
  return new Promise((resolve) => exchange.res.once('close', resolve));
}

async function chat(exchange: Exchange, faults: Faults): Promise<void> {
  const { record } = exchange;
  const body: Body = record.body;
  checkChat(body);
  const n: number = body.n ?? 1;
  const reply = replyTo(body, faults, record.seq);
  const prompt = faults.prompt ?? promptTokens(body);
  const usage: DoubleUsage = {
    prompt_tokens: prompt,
    completion_tokens: reply.tokens * n,
    total_tokens: prompt + reply.tokens * n,
    prompt_tokens_details: { cached_tokens: Math.min(faults.cached ?? 0, prompt), audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: Math.min(faults.reasoning ?? 0, reply.tokens) * n, audio_tokens: 0 },
  };
  record.usage = usage;
  const head = {
    id: `chatcmpl-double${record.seq}`,
    object: body.stream ? 'chat.completion.chunk' : 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: body.model,
    system_fingerprint: 'fp_double',
  };
  if (body.stream) return streamChat(exchange, faults, head, reply, usage, n);
  if (faults.hang !== undefined) return hang(exchange);
  const message = {
    role: 'assistant',
    content: reply.content,
    refusal: null,
    ...(reply.toolCalls.length > 0 ? { tool_calls: reply.toolCalls } : {}),
  };
  const choices = Array.from({ length: n }, (_, index) => ({
    index,
    message,
    logprobs: null,
    finish_reason: reply.finish,
  }));
  const answer = { ...head, choices, ...(faults.nousage ? {} : { usage }) };
  if (faults.cut === undefined) return sendJson(exchange, 200, answer);
  if (faults.cut === 0) return cut(exchange);
  const text = JSON.stringify(answer);
  exchange.res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  exchange.res.write(text.slice(0, text.length / 2), () => cut(exchange));
}

async function streamChat(
  exchange: Exchange,
  faults: Faults,
  head: object,
  reply: Reply,
  usage: DoubleUsage,
  n: number,
): Promise<void> {
  const { res, record } = exchange;
  if (faults.hang === 0) return hang(exchange);
  if (faults.cut === 0) return cut(exchange);
  record.status = 200;
  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-request-id': `req_double_${record.seq}`,
  });
  const withUsage = record.body.stream_options?.include_usage === true && !faults.nousage;
  const chunk = (index: number, delta: object, finish: string | null) =>
    JSON.stringify({
      ...head,
      choices: [{ index, delta, logprobs: null, finish_reason: finish }],
      ...(withUsage ? { usage: null } : {}),
    });
  const events: string[] = [];
  for (let index = 0; index < n; index++) {
    events.push(
      chunk(index, { role: 'assistant', content: reply.toolCalls.length > 0 ? null : '', refusal: null }, null),
    );
    reply.toolCalls.forEach((call, i) => {
      events.push(
        chunk(
          index,
          { tool_calls: [{ ...call, index: i, function: { name: call.function.name, arguments: '' } }] },
          null,
        ),
      );
      for (const part of pieces(call.function.arguments, 2)) {
        events.push(chunk(index, { tool_calls: [{ index: i, function: { arguments: part } }] }, null));
      }
    });
    const text = reply.content ?? '';
    for (const part of pieces(text, faults.chunks ?? Math.min(64, doubleTokens(text))))
      events.push(chunk(index, { content: part }, null));
    events.push(chunk(index, {}, reply.finish));
  }
  if (withUsage) events.push(JSON.stringify({ ...head, choices: [], usage }));
  events.push('[DONE]');
  if (faults.garbage) events.splice(2, events.length, '{"choices": [{"delta": <html>');
  for (const event of events) {
    if (record.chunks === faults.cut) return cut(exchange);
    if (record.chunks === faults.hang) return hang(exchange);
    if (record.chunks === faults.error) {
      res.end(`data: ${JSON.stringify({ error: errorObject(statusError(500, record.body.model)) })}\n\n`);
      return;
    }
    record.chunks += 1;
    const flowing = res.write(`data: ${event}\n\n`);
    if (faults.gap) await sleep(faults.gap, undefined, { ref: false });
    else if (!flowing) await new Promise((resolve) => res.once('drain', resolve).once('close', resolve));
    else await new Promise(setImmediate);
    if (res.destroyed) return;
  }
  res.end();
}

function checkChat(body: Body): void {
  if (!Array.isArray(body.messages) || body.messages.length === 0) {
    throw new ApiError(400, "Missing required parameter: 'messages'.", 'missing_required_parameter', 'messages');
  }
  let open = new Set<string>();
  body.messages.forEach((message: Body, i: number) => {
    const at = `messages[${i}]`;
    if (!['system', 'developer', 'user', 'assistant', 'tool'].includes(message?.role)) {
      throw new ApiError(400, `Invalid value: '${message?.role}'.`, 'invalid_value', `${at}.role`);
    }
    if (message.role === 'tool') {
      if (!open.delete(message.tool_call_id)) {
        throw new ApiError(
          400,
          "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
          null,
          at,
        );
      }
    } else if (open.size > 0) {
      throw new ApiError(
        400,
        "An assistant message with 'tool_calls' must be followed by tool messages for each.",
        null,
        at,
      );
    } else if (message.role === 'assistant') open = new Set((message.tool_calls ?? []).map((c: ToolCall) => c.id));
  });
  if (open.size > 0)
    throw new ApiError(
      400,
      "An assistant message with 'tool_calls' must be followed by tool messages for each.",
      null,
      'messages',
    );
  if (body.stream_options && !body.stream) {
    throw new ApiError(
      400,
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      null,
      'stream_options',
    );
  }
  if (body.max_tokens != null && body.max_completion_tokens != null) {
    throw new ApiError(
      400,
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      null,
      'max_tokens',
    );
  }
  for (const name of ['max_tokens', 'max_completion_tokens', 'n']) {
    if (body[name] != null && !(Number.isInteger(body[name]) && body[name] >= 1)) {
      throw new ApiError(400, `Invalid '${name}': integer below minimum value.`, 'integer_below_min_value', name);
    }
  }
}

function textOf(content: Body): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function promptTokens(body: Body): number {
  let tokens = body.tools ? doubleTokens(JSON.stringify(body.tools)) : 0;
  for (const message of body.messages) {
    const calls = message.tool_calls ? JSON.stringify(message.tool_calls) : '';
    const media = Array.isArray(message.content)
      ? message.content.filter((part: Body) => part.type !== 'text').length
      : 0;
    tokens += 4 + doubleTokens(textOf(message.content) + calls) + media * 85;
  }
  return tokens;
}

function replyTo(body: Body, faults: Faults, seq: number): Reply {
  const last = body.messages.findLastIndex((m: Body) => m.role === 'user');
  const text = last < 0 ? '' : textOf(body.messages[last].content);
  const cap: number = body.max_completion_tokens ?? body.max_tokens ?? Number.POSITIVE_INFINITY;
  const after: Body[] = body.messages.slice(last + 1);
  const step = after.filter((m) => m.tool_calls?.length > 0).length;
  const toolCalls = callsFor(body, text, step).map(
    (call, i): ToolCall => ({ id: `call_double${seq}_${i}`, type: 'function', function: call }),
  );
  if (toolCalls.length > 0) {
    const tokens = toolCalls.reduce(
      (sum, c) => sum + doubleTokens(c.function.name + c.function.arguments),
      faults.reasoning ?? 0,
    );
    if (tokens > cap) return { content: '', toolCalls: [], finish: 'length', tokens: cap };
    return { content: null, toolCalls, finish: 'tool_calls', tokens };
  }
  const results = after.filter((m) => m.role === 'tool').map((m) => textOf(m.content));
  const said = /say:([\s\S]*)/.exec(text)?.[1];
  let content = said ?? (results.length > 0 ? `Done: ${results.join('; ')}` : `You said: ${text}`);
  if (faults.tokens !== undefined) content = 'word'.repeat(faults.tokens);
  else if (faults.chunks !== undefined && content.length < faults.chunks) content = 'word'.repeat(faults.chunks);
  for (const stop of [body.stop ?? []].flat()) content = content.split(stop)[0] ?? '';
  const hidden = Math.min(faults.reasoning ?? 0, cap);
  const whole = doubleTokens(content);
  if (whole + hidden > cap) content = firstBytes(content, (cap - hidden) * 4);
  return {
    content,
    toolCalls: [],
    finish: whole + hidden > cap ? 'length' : 'stop',
    tokens: doubleTokens(content) + hidden,
  };
}

/** The tool calls that the message asks for at this step, among the tools offered. */
function callsFor(body: Body, text: string, step: number): { name: string; arguments: string }[] {
  if (!Array.isArray(body.tools) || body.tools.length === 0 || body.tool_choice === 'none') return [];
  const offered = new Set<string>(body.tools.map((t: Body) => t.function?.name));
  const steps: { name: string; arguments: string }[][] = [[]];
  for (const match of text.matchAll(/\bthen\b|call:([\w.-]+)/g)) {
    const name = match[1];
    if (name === undefined) steps.push([]);
    else if (offered.has(name)) steps.at(-1)?.push({ name, arguments: jsonAt(text, match.index + match[0].length) });
  }
  const asked = steps.filter((s) => s.length > 0)[step] ?? [];
  if (asked.length > 0 || step > 0) return asked;
  const forced = body.tool_choice === 'required' ? body.tools[0].function?.name : body.tool_choice?.function?.name;
  return forced ? [{ name: forced, arguments: '{}' }] : [];
}

/** The JSON object that starts at `from` (after blanks); `{}` when there is none. */
function jsonAt(text: string, from: number): string {
  const rest = text.slice(from).trimStart();
  if (!rest.startsWith('{')) return '{}';
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < rest.length; i++) {
    const c = rest[i];
    if (quoted) {
      if (c === '\\') i += 1;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{') depth += 1;
    else if (c === '}' && --depth === 0) return rest.slice(0, i + 1);
  }
  return rest;
}

/** The longest prefix of whole code points within so many UTF-8 bytes. */
function firstBytes(text: string, bytes: number): string {
  const buffer = Buffer.from(text);
  let end = Math.min(bytes, buffer.length);
  while (end > 0 && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return buffer.toString('utf8', 0, end);
}

/** Splits a text into `count` parts of nearly equal length, never inside a code point. */
function pieces(text: string, count: number): string[] {
  const points = text.length > 0 ? [...text] : [];
  const n = Math.min(count, points.length);
  return Array.from({ length: n }, (_, i) =>
    points.slice(Math.floor((i * points.length) / n), Math.floor(((i + 1) * points.length) / n)).join(''),
  );
}

async function embeddings(exchange: Exchange, faults: Faults): Promise<void> {
  const { record } = exchange;
  const body: Body = record.body;
  const { input } = body;
  const single = typeof input === 'string' || (Array.isArray(input) && typeof input[0] === 'number');
  const inputs: (string | number[])[] = single ? [input] : input;
  if (!Array.isArray(inputs) || inputs.length === 0) {
    throw new ApiError(400, "Missing required parameter: 'input'.", 'missing_required_parameter', 'input');
  }
  const dimensions: number = body.dimensions ?? 64;
  const prompt =
    faults.prompt ?? inputs.reduce((sum, i) => sum + (typeof i === 'string' ? doubleTokens(i) : i.length), 0);
  record.usage = {
    prompt_tokens: prompt,
    completion_tokens: 0,
    total_tokens: prompt,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  };
  if (faults.hang !== undefined) return hang(exchange);
  if (faults.cut !== undefined) return cut(exchange);
  const data = inputs.map((one, index) => {
    const vector = embed(typeof one === 'string' ? one : one.join(' '), dimensions);
    const embedding = body.encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector];
    return { object: 'embedding', index, embedding };
  });
  const usage = faults.nousage ? {} : { usage: { prompt_tokens: prompt, total_tokens: prompt } };
  sendJson(exchange, 200, { object: 'list', data, model: body.model, ...usage });
}

/** A unit vector of hashed words (feature hashing), so that texts sharing words are near each other. */
function embed(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  for (const word of text.toLowerCase().match(/\p{Script=Han}|[\p{L}\p{N}]+/gu) ?? ['']) {
    let hash = 0x811c9dc5; // FNV-1a, 32 bits
    for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193) >>> 0;
    const at = hash % dimensions;
    vector[at] = (vector[at] ?? 0) + (hash & 0x80000000 ? -1 : 1);
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((v) => v / length);
}
