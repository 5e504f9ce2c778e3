import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { systemClock } from '#kernel/clock';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

import { CircuitBreakers, type CircuitSettings } from './circuit-breaker.ts';
import type { GenerateRequest, Message, RouteMessage, ToolSpec } from './messages.ts';
import { ModelCaller, type ModelCallFailed } from './model-caller.ts';
import type { Target } from './types.ts';

const tenantId = '01930000-0000-7000-8000-00000000000a';
let first: OpenAiDouble;
let second: OpenAiDouble;
let caller: ModelCaller;
let breakers: CircuitBreakers;
let observed: [string, number, number][];
let guarded: string[];
let tenantFetch: typeof fetch;
let decision: ReturnType<RouteMessage>;

beforeAll(async () => {
  [first, second] = await Promise.all([startOpenAiDouble(), startOpenAiDouble()]);
});
afterAll(() => Promise.all([first.close(), second.close()]));
beforeEach(() => {
  observed = [];
  guarded = [];
  tenantFetch = fetch;
  useBreakers({});
});

function useBreakers(settings: Partial<CircuitSettings>, random = () => 0): void {
  breakers = new CircuitBreakers(systemClock, settings);
  caller = new ModelCaller({
    clock: systemClock,
    breakers,
    observe: (target, bytes, tokens) => void observed.push([target.id, bytes, tokens]),
    egress: {
      fetch: (tenant) => {
        guarded.push(String(tenant));
        return tenantFetch;
      },
    },
    routeMessage: () => decision,
    random,
  });
}

function target(more: Partial<Target> = {}, url = first.url): Target {
  const model = more.model ?? 'double';
  return {
    id: `openai/${model}`,
    providerId: 'p',
    modelId: 'm',
    provider: 'openai',
    model,
    kind: 'chat',
    preset: 'openai',
    baseUrl: url,
    ownedBy: 'platform',
    ownerTenantId: 'platform',
    cheap: false,
    contextTokens: null,
    maxOutputTokens: null,
    maxImageTokens: null,
    maxAudioTokens: null,
    outputCap: { field: 'max_completion_tokens', coversReasoning: true },
    streamUsage: true,
    bytesPerToken: 4,
    fallbacks: [],
    cost: undefined,
    apiKey: () => DOUBLE_KEY,
    headers: () => ({ authorization: `Bearer ${DOUBLE_KEY}` }),
    ...more,
  };
}

function ask(text: string, more: Partial<GenerateRequest> = {}): Promise<Awaited<ReturnType<ModelCaller['generate']>>> {
  return caller.generate({ target: target(), messages: [{ role: 'user', content: text }], ...more });
}

async function failure(call: Promise<unknown>): Promise<ModelCallFailed> {
  return call.then(
    () => expect.fail('it answered'),
    (error: unknown) => error as ModelCallFailed,
  );
}

const tool: ToolSpec = {
  name: 'weather',
  description: 'The weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

/** An address of loopback where nobody listens. */
async function closedAddress(): Promise<string> {
  const gone = await startOpenAiDouble();
  await gone.close();
  return gone.url;
}

describe('an answer', () => {
  test('plain: text, usage, the cap in the preset’s field, the key in the header', async () => {
    const answer = await ask('say:Hello there', { maxOutputTokens: 50, temperature: 0.3 });
    expect(answer).toMatchObject({ text: 'Hello there', finishReason: 'stop', estimated: false, toolCalls: [] });
    const seen = first.requests.at(-1);
    expect(answer.quantities.output_tokens).toBe(seen?.usage?.completion_tokens);
    expect(answer.quantities.input_tokens).toBe(seen?.usage?.prompt_tokens);
    expect(answer.attempts).toMatchObject([{ provider: 'openai', model: 'double', status: 200 }]);
    expect(seen?.body).toMatchObject({ max_completion_tokens: 50, temperature: 0.3 });
    expect(seen?.body).not.toHaveProperty('max_tokens');
    expect(seen?.key).toBe(DOUBLE_KEY);
  });

  test('streamed: deltas add up to the text, usage comes from the last chunk', async () => {
    const deltas: string[] = [];
    const answer = await ask('say:one two three four five', { onDelta: (text) => deltas.push(text) });
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join('')).toBe('one two three four five');
    expect(answer.text).toBe('one two three four five');
    expect(answer.quantities.output_tokens).toBe(first.requests.at(-1)?.usage?.completion_tokens);
    expect(first.requests.at(-1)?.body.stream_options).toEqual({ include_usage: true });
  });

  test('cached and reasoning tokens are read, and text bytes are observed against visible tokens', async () => {
    const model = 'double-cached-3-reasoning-40';
    const answer = await ask('say:abcdefgh', { target: target({ model }) });
    expect(answer.quantities).toMatchObject({ cached_input_tokens: 3, reasoning_tokens: 40, output_tokens: 42 });
    expect(observed).toEqual([[`openai/${model}`, 8, 2]]);
  });

  test.each([
    ['plain', undefined],
    ['streamed', () => undefined],
  ])('%s: tools are offered and asked for, never run', async (_how, onDelta) => {
    const answer = await ask('call:weather {"city":"Köln"} call:weather {"city":"Bonn"}', {
      tools: [tool],
      ...(onDelta === undefined ? {} : { onDelta }),
    });
    expect(answer.finishReason).toBe('tool-calls');
    expect(answer.toolCalls.map((call) => [call.name, call.arguments])).toEqual([
      ['weather', '{"city":"Köln"}'],
      ['weather', '{"city":"Bonn"}'],
    ]);
    expect(first.requests.at(-1)?.body.tools[0].function.parameters).toEqual(tool.parameters);
  });

  test('a whole conversation with calls, results and an image reaches the provider as OpenAI defines it', async () => {
    const messages: Message[] = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'call:weather {"city":"Rom"}' },
          { type: 'image', url: 'https://example.org/a.png' },
        ],
      },
      { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'weather', arguments: '{"city":"Rom"}' }] },
      { role: 'tool', toolCallId: 'c1', content: 'sunny' },
    ];
    const answer = await ask('', { messages, tools: [tool] });
    expect(answer.text).toBe('Done: sunny');
    const sent = first.requests.at(-1)?.body.messages;
    expect(sent.map((each: { role: string }) => each.role)).toEqual(['system', 'user', 'assistant', 'tool']);
    expect(sent[1].content[1]).toEqual({ type: 'image_url', image_url: { url: 'https://example.org/a.png' } });
    expect(sent[2].tool_calls[0]).toMatchObject({
      id: 'c1',
      function: { name: 'weather', arguments: '{"city":"Rom"}' },
    });
    expect(sent[3]).toMatchObject({ tool_call_id: 'c1', content: 'sunny' });
  });

  test('an image without an address is the caller’s mistake, sent to nobody', async () => {
    const before = first.count();
    const messages: Message[] = [{ role: 'user', content: [{ type: 'image', url: 'cat.png' }] }];
    const error = await failure(ask('', { messages, target: target({ fallbacks: [target()] }) }));
    expect(error.kind.status).toBe(400);
    expect(error.attempts).toBeUndefined();
    expect(first.count()).toBe(before);
  });

  test('without usage from the provider it is estimated and marked', async () => {
    const answer = await ask('say:12345678', { target: target({ model: 'double-nousage' }) });
    expect(answer).toMatchObject({ estimated: true, quantities: { input_tokens: 3, output_tokens: 2 } });
    expect(observed).toEqual([]);
  });

  test('the cap is what the model can write at most', async () => {
    await ask('hi', { target: target({ maxOutputTokens: 10 }), maxOutputTokens: 500 });
    expect(first.requests.at(-1)?.body.max_completion_tokens).toBe(10);
  });

  test('a tenant’s own provider is called through the guarded way out, the platform’s is not', async () => {
    await ask('hi');
    expect(guarded).toEqual([]);
    await ask('hi', { target: target({ ownedBy: 'tenant', ownerTenantId: tenantId }) });
    expect(guarded).toEqual([tenantId]);
  });
});

describe('a failing provider', () => {
  test('a passing 500 is retried on the same target', async () => {
    first.script(['status-500', '']);
    const answer = await ask('say:ok');
    expect(answer.text).toBe('ok');
    expect(answer.attempts.map((each) => each.status)).toEqual([500, 200]);
  });

  test('then the fallback answers, and the answer names it', async () => {
    const fallback = target({ id: 'other/double', provider: 'other' }, second.url);
    const answer = await ask('say:ok', { target: target({ model: 'double-status-500', fallbacks: [fallback] }) });
    expect(answer.target.id).toBe('other/double');
    expect(answer.attempts.map((each) => [each.provider, each.status])).toEqual([
      ['openai', 500],
      ['openai', 500],
      ['openai', 500],
      ['other', 200],
    ]);
  });

  test('nobody listens: the fallback answers', async () => {
    const fallback = target({ id: 'other/double', provider: 'other' }, second.url);
    const answer = await ask('say:ok', { target: target({ fallbacks: [fallback] }, await closedAddress()) });
    expect(answer.attempts.map((each) => each.status)).toEqual([
      'not-connected',
      'not-connected',
      'not-connected',
      200,
    ]);
  });

  test('a request that is at fault goes to nobody else', async () => {
    const before = second.count();
    const fallback = target({ id: 'other/double', provider: 'other' }, second.url);
    const error = await failure(ask('hi', { target: target({ model: 'double-status-422', fallbacks: [fallback] }) }));
    expect(error.kind).toMatchObject({ type: 'upstream-refused', status: 400 });
    expect(error.attempts).toHaveLength(1);
    expect(second.count()).toBe(before);
  });

  test('a refused key of the platform is not laid open; it may fall back but is not retried', async () => {
    const wrong = target({ headers: () => ({ authorization: 'Bearer sk-wrong-and-secret' }) });
    const error = await failure(ask('hi', { target: wrong }));
    expect(error.kind.type).toBe('upstream-failed');
    expect(error.attempts).toHaveLength(1);
    expect(`${error.message} ${JSON.stringify(error.details.extra ?? {})}`).not.toContain('sk-wrong');
    const own = await failure(ask('hi', { target: { ...wrong, ownedBy: 'tenant' } }));
    expect(own.kind.type).toBe('upstream-refused');
    expect(own.message).toContain('401');
    expect(own.message).not.toContain('sk-wrong');
    // What the log gets to see as the cause: neither the key nor what was said.
    expect(inspect(error.details.cause, { depth: 10 })).not.toMatch(/sk-wrong|content/);
  });

  test('a rate limit is told with its Retry-After', async () => {
    const error = await failure(ask('hi', { target: target({ model: 'double-status-429' }) }));
    expect(error.kind).toMatchObject({ type: 'upstream-rate-limited', status: 429 });
    expect(error.details.headers).toEqual({ 'retry-after': '1' });
  });

  test('an answer that is no JSON is the provider’s fault', async () => {
    const error = await failure(ask('hi', { target: target({ model: 'double-garbage' }) }));
    expect(error.kind).toMatchObject({ type: 'upstream-failed', status: 502 });
  });

  test.each(['cut-4', 'error-4', 'garbage'])(
    'a stream broken after text went on (%s) is not asked again; what it used is estimated',
    async (fault) => {
      const deltas: string[] = [];
      first.script([fault]);
      const before = first.count();
      const error = await failure(
        ask('say:one two three four five six seven', { onDelta: (text) => deltas.push(text) }),
      );
      expect(error.kind.status).toBe(502);
      if (deltas.join('') === '') return expect(first.count()).toBeGreaterThan(before + 1);
      expect(first.count()).toBe(before + 1);
      expect(error.used?.output_tokens).toBe(Math.ceil(deltas.join('').length / 4));
      expect(error.used?.input_tokens).toBeGreaterThan(0);
    },
  );

  test('a stream that ends in good order but before its end is no answer', async () => {
    const chunk = JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content: 'half' } }] });
    tenantFetch = async () => new Response(`data: ${chunk}\n\n`, { headers: { 'content-type': 'text/event-stream' } });
    const own = target({ ownedBy: 'tenant', ownerTenantId: tenantId });
    const error = await failure(ask('hi', { target: own, onDelta: () => undefined }));
    expect(error.kind.status).toBe(502);
    expect(error.used?.output_tokens).toBe(1);
  });

  test('a stream cut before any text is asked again', async () => {
    first.script(['cut-1', '']);
    const answer = await ask('say:whole', { onDelta: () => undefined });
    expect(answer.text).toBe('whole');
    expect(answer.attempts).toHaveLength(2);
  });

  test('repeated failures open the circuit: the provider is left alone', async () => {
    const broken = target({ model: 'double-status-503' });
    await failure(ask('hi', { target: broken }));
    await failure(ask('hi', { target: broken }));
    const before = first.count();
    const error = await failure(ask('hi', { target: broken }));
    expect(first.count()).toBe(before);
    expect(error.kind.type).toBe('upstream-failed');
    expect(Number(error.details.headers?.['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(error.used).toBeUndefined();
  });
});

describe('cancelling', () => {
  test('ends the request upstream and tells what was used by then', async () => {
    useBreakers({ consecutive: 1 });
    const controller = new AbortController();
    const deltas: string[] = [];
    const error = await failure(
      ask('say:one two three four five six', {
        target: target({ model: 'double-hang-4' }),
        abortSignal: controller.signal,
        onDelta: (text) => {
          deltas.push(text);
          if (deltas.join('').length > 3) controller.abort();
        },
      }),
    );
    expect(error.kind).toMatchObject({ type: 'cancelled', status: 499 });
    expect(error.used?.output_tokens).toBe(Math.ceil(deltas.join('').length / 4));
    await expect.poll(() => first.requests.at(-1)?.aborted).toBe(true);
    expect(breakers.of(target({ model: 'double-hang-4' })).state).toBe('closed');
  });

  test('for a reason of the caller’s own, before a byte has come: what the provider read is told', async () => {
    useBreakers({ consecutive: 1 });
    const slow = target({ model: 'double-slow-5000' });
    for (const onDelta of [undefined, () => undefined]) {
      const controller = new AbortController();
      const before = first.count();
      const call = failure(
        ask('say:one two three', {
          target: slow,
          abortSignal: controller.signal,
          ...(onDelta === undefined ? {} : { onDelta }),
        }),
      );
      await expect.poll(() => first.count()).toBe(before + 1);
      controller.abort(new Error('the client has gone'));
      const error = await call;
      expect(error.kind).toMatchObject({ type: 'cancelled', status: 499 });
      expect(error.used).toMatchObject({ input_tokens: Math.ceil('say:one two three'.length / 4), output_tokens: 0 });
      expect(breakers.of(slow).state).toBe('closed');
    }
  });

  test('between two tries: nothing was used', async () => {
    useBreakers({}, () => 1);
    const controller = new AbortController();
    const before = first.count();
    const broken = target({ model: 'double-status-503' });
    const call = failure(ask('hello', { target: broken, abortSignal: controller.signal }));
    await expect.poll(() => first.count() > before && first.requests.at(-1)?.status).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort(new Error('the client has gone'));
    const error = await call;
    expect([error.kind.type, error.used, first.count()]).toEqual(['cancelled', undefined, before + 1]);
  });
});

describe('lintel/router', () => {
  const router = () =>
    target({ id: 'lintel/router', provider: 'lintel', model: 'router', providerId: null, baseUrl: '' });

  test('its call becomes a tool call, without tokens', async () => {
    decision = { kind: 'call', tool: 'weather', arguments: { city: 'Rom' }, score: 1 };
    const answer = await ask('weather in Rome?', { target: router(), tools: [tool] });
    expect(answer).toMatchObject({
      text: '',
      finishReason: 'tool-calls',
      estimated: false,
      quantities: { input_tokens: 0, output_tokens: 0 },
    });
    expect(answer.toolCalls).toMatchObject([{ name: 'weather', arguments: '{"city":"Rom"}' }]);
  });

  test('broken arguments in a conversation reach it as text', async () => {
    decision = { kind: 'answer', text: 'fine' };
    const messages: Message[] = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'c', name: 'weather', arguments: '{"city' }] },
      { role: 'tool', toolCallId: 'c', content: 'none' },
    ];
    expect((await ask('', { target: router(), messages })).text).toBe('fine');
  });

  test('its text is an answer', async () => {
    decision = { kind: 'ask', tool: 'weather', missing: ['city'], arguments: {}, text: 'Which city?' };
    const deltas: string[] = [];
    const answer = await ask('weather?', { target: router(), tools: [tool], onDelta: (text) => deltas.push(text) });
    expect(answer).toMatchObject({ text: 'Which city?', finishReason: 'stop', toolCalls: [] });
    expect(deltas).toEqual(['Which city?']);
  });
});
