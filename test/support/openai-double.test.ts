import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DOUBLE_KEY, doubleTokens, type OpenAiDouble, startOpenAiDouble } from './openai-double.ts';

let double: OpenAiDouble;
let client: OpenAI;

beforeAll(async () => {
  double = await startOpenAiDouble();
  client = new OpenAI({ apiKey: DOUBLE_KEY, baseURL: double.url, maxRetries: 0 });
});
afterAll(() => double.close());

const user = (content: string) => [{ role: 'user' as const, content }];
const tool = (name: string) => ({ type: 'function' as const, function: { name, parameters: { type: 'object' } } });
const last = () => double.requests.at(-1);

async function collect(model: string, extra: object = {}) {
  const stream = await client.chat.completions.create({ model, messages: user('hello there'), stream: true, ...extra });
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

describe('answers, read by the stock client', () => {
  it('answers a plain chat completion with usage', async () => {
    const answer = await client.chat.completions.create({ model: 'double', messages: user('héllo') });
    expect(answer.choices[0]?.message.content).toBe('You said: héllo');
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    expect(answer.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 });
    expect(last()).toMatchObject({
      key: DOUBLE_KEY,
      status: 200,
      aborted: false,
      body: { model: 'double' },
      usage: { total_tokens: 10 },
    });
  });

  it('streams role, content, finish, and usage only when asked', async () => {
    const plain = await collect('double');
    expect(plain.map((c) => c.choices[0]?.delta.content ?? '').join('')).toBe('You said: hello there');
    expect(plain.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect(plain.some((c) => c.usage)).toBe(false);
    const counted = await collect('double', { stream_options: { include_usage: true } });
    expect(counted.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 6 } });
    expect(counted.slice(0, -1).every((c) => c.usage === null)).toBe(true);
  });

  it('honours the output cap, stop, n and exact answers', async () => {
    const capped = await client.chat.completions.create({
      model: 'double-tokens-1000',
      messages: user('x'),
      max_tokens: 30,
    });
    expect(capped.usage?.completion_tokens).toBe(30);
    expect(capped.choices[0]?.finish_reason).toBe('length');
    const exact = await client.chat.completions.create({ model: 'double-tokens-1000', messages: user('x'), n: 2 });
    expect(exact.usage?.completion_tokens).toBe(2000);
    expect(exact.choices.map((c) => c.index)).toEqual([0, 1]);
    const said = await client.chat.completions.create({
      model: 'double',
      messages: user('say:{"a": 1} END more'),
      stop: ' END',
    });
    expect(said.choices[0]?.message.content).toBe('{"a": 1}');
    const chinese = await client.chat.completions.create({
      model: 'double',
      messages: user('say:你好世界'),
      max_completion_tokens: 2,
    });
    expect(chinese.choices[0]?.message.content).toBe('你好');
    expect(doubleTokens('你好')).toBe(2);
  });

  it('calls the tools asked for, step by step, then reports their results', async () => {
    const tools = [tool('add'), tool('mail')];
    const messages: OpenAI.ChatCompletionMessageParam[] = user(
      'call:add {"a": {"b": "}"}} call:mail {} then call:mail {"to": 1} call:nope {}',
    );
    const first = await client.chat.completions.create({ model: 'double', messages, tools });
    const calls = first.choices[0]?.message.tool_calls ?? [];
    expect(first.choices[0]?.finish_reason).toBe('tool_calls');
    expect(calls.map((c) => c.type === 'function' && c.function)).toEqual([
      { name: 'add', arguments: '{"a": {"b": "}"}}' },
      { name: 'mail', arguments: '{}' },
    ]);
    messages.push({ role: 'assistant', tool_calls: calls });
    await expect(client.chat.completions.create({ model: 'double', messages, tools })).rejects.toMatchObject({
      status: 400,
    });
    for (const call of calls)
      messages.push({ role: 'tool', tool_call_id: call.id, content: call.id === calls[0]?.id ? '3' : 'sent' });
    const stream = client.chat.completions.stream({ model: 'double', messages, tools });
    const second = (await stream.finalChatCompletion()).choices[0]?.message;
    expect(second?.tool_calls?.[0]).toMatchObject({ function: { name: 'mail', arguments: '{"to": 1}' } });
    messages.push({ role: 'assistant', tool_calls: second?.tool_calls ?? [] });
    messages.push({ role: 'tool', tool_call_id: second?.tool_calls?.[0]?.id ?? '', content: 'ok' });
    const done = await client.chat.completions.create({ model: 'double', messages, tools });
    expect(done.choices[0]?.message.content).toBe('Done: 3; sent; ok');
    const untold = await client.chat.completions.create({
      model: 'double',
      messages: user('call:add {}'),
      tools,
      tool_choice: 'none',
    });
    expect(untold.choices[0]?.message.tool_calls).toBeUndefined();
    const forced = await client.chat.completions.create({
      model: 'double',
      messages: user('hi'),
      tools,
      tool_choice: 'required',
    });
    expect(forced.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: 'add', arguments: '{}' } });
  });

  it('embeds: unit vectors, near for shared words, float and base64 alike', async () => {
    const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
    const input = ['red apple pie', 'red apple tart', 'quarterly tax form'];
    const decoded = (await client.embeddings.create({ model: 'double-embedding', input })).data.map((d) => d.embedding);
    const floats = await client.embeddings.create({ model: 'double-embedding', input, encoding_format: 'float' });
    const [a = [], b = [], c = []] = decoded;
    expect(dot(a, a)).toBeCloseTo(1, 5);
    expect(dot(a, b)).toBeGreaterThan(dot(a, c));
    expect(floats.data[1]?.embedding).toEqual([...b]);
    expect(floats.usage).toEqual({ prompt_tokens: 13, total_tokens: 13 });
  });

  it('lists models and refuses unknown ones, paths, keys and bodies in the error form of OpenAI', async () => {
    expect((await client.models.list()).data.map((m) => m.id)).toEqual(['double', 'double-embedding']);
    const chat = (model: string, body: object = {}) =>
      client.chat.completions.create({ model, messages: user('x'), ...body });
    await expect(chat('gpt-9')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
    await expect(chat('double-typo')).rejects.toMatchObject({ status: 404 });
    await expect(chat('double', { messages: [] })).rejects.toMatchObject({ status: 400, param: 'messages' });
    await expect(chat('double', { max_tokens: 1, max_completion_tokens: 1 })).rejects.toMatchObject({
      status: 400,
      param: 'max_tokens',
    });
    await expect(chat('double', { stream_options: {} })).rejects.toMatchObject({
      status: 400,
      param: 'stream_options',
    });
    const wrong = new OpenAI({ apiKey: 'sk-wrong', baseURL: double.url, maxRetries: 0 });
    await expect(wrong.models.list()).rejects.toMatchObject({
      status: 401,
      code: 'invalid_api_key',
      type: 'invalid_request_error',
    });
    await expect(client.get('/nothing')).rejects.toMatchObject({ status: 404 });
    const bad = await fetch(`${double.url}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${DOUBLE_KEY}` },
      body: '{',
    });
    expect(bad.status).toBe(400);
  });
});

describe('faults', () => {
  const chat = (model: string, options: object = {}) =>
    client.chat.completions.create({ model, messages: user('x') }, options);

  it('answers with a status, once or always, by model name, header or script', async () => {
    await expect(chat('double-status-429')).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    await expect(chat('double-status-500-once')).rejects.toMatchObject({ status: 500 });
    expect((await chat('double-status-500-once')).usage).toBeDefined();
    await expect(chat('double', { headers: { 'x-double-fault': 'status-503' } })).rejects.toMatchObject({
      status: 503,
    });
    double.script(['status-500', '', { status: 502 }]);
    await expect(chat('double')).rejects.toMatchObject({ status: 500 });
    await chat('double');
    await expect(chat('double')).rejects.toMatchObject({ status: 502 });
    expect(() => double.script(['tokens'])).toThrow('tokens-N');
  });

  it('cuts, breaks and garbles', async () => {
    await expect(collect('double-cut-3')).rejects.toThrow();
    expect(last()).toMatchObject({ chunks: 3, aborted: false });
    await expect(chat('double-cut-0')).rejects.toThrow();
    await expect(chat('double-cut-1')).rejects.toThrow();
    await expect(collect('double-error-2')).rejects.toThrow('server had an error');
    await expect(chat('double-garbage')).rejects.toThrow();
    await expect(collect('double-garbage')).rejects.toThrow();
  });

  it('shapes usage and chunks', async () => {
    expect((await chat('double-nousage')).usage).toBeUndefined();
    const asked = { stream_options: { include_usage: true } };
    expect((await collect('double-nousage', asked)).every((c) => !c.usage)).toBe(true);
    expect((await collect('double-chunks-50')).filter((c) => c.choices[0]?.delta.content).length).toBe(50);
    expect((await chat('double-prompt-90-cached-40-reasoning-7')).usage).toMatchObject({
      prompt_tokens: 90,
      completion_tokens: 10,
      prompt_tokens_details: { cached_tokens: 40 },
      completion_tokens_details: { reasoning_tokens: 7 },
    });
  });

  it('hangs until the client leaves, and records that it left', async () => {
    for (const model of ['double-hang', 'double-slow-60000']) {
      const abort = new AbortController();
      const seen = double.count();
      const call = chat(model, { signal: abort.signal });
      await vi.waitFor(() => expect(double.count()).toBe(seen + 1));
      abort.abort();
      await expect(call).rejects.toThrow('aborted');
      await vi.waitFor(() => expect(last()?.aborted).toBe(true));
    }
    const stream = await client.chat.completions.create({ model: 'double-hang-2', messages: user('x'), stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    await vi.waitFor(() => expect(last()).toMatchObject({ chunks: 2, aborted: true }));
  });

  it('keeps a bounded record', async () => {
    const small = await startOpenAiDouble({ record: 2, keys: ['k'], models: ['m'] });
    const other = new OpenAI({ apiKey: 'k', baseURL: small.url });
    for (let i = 0; i < 9; i++) await other.models.list();
    expect(small.requests.at(-1)?.seq).toBe(9);
    expect(small.requests.length).toBeLessThanOrEqual(4);
    expect(small.count()).toBe(9);
    await small.close();
  });
});
