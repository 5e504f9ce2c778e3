import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

let t: TestApp;
let double: OpenAiDouble;
let acme: TestTenant;
const slow = 'double-gap-20-chunks-100';

beforeAll(async () => {
  double = await startOpenAiDouble();
  t = await startTestApp();
  acme = await t.tenant('Acme');
  const provider = await t.call(t.operatorKey, 'POST', '/v1/platform/providers', {
    preset: 'openai-compatible',
    name: 'double',
    baseUrl: double.url,
    apiKey: DOUBLE_KEY,
  });
  for (const name of ['double', slow]) {
    const model = await t.call(t.operatorKey, 'POST', `/v1/platform/providers/${provider.body['id']}/models`, { name });
    expect(model.status, model.text).toBe(201);
  }
});
afterAll(async () => {
  await t.close();
  await double.close();
});

/** A model of Lintel as the AI SDK sees it, and the answers it got, in order; retries are the SDK's own. */
function lintel(apiKey = acme.key): {
  model: (id: string) => ReturnType<ReturnType<typeof createOpenAICompatible>>;
  answers: Response[];
} {
  const answers: Response[] = [];
  const model = createOpenAICompatible({
    name: 'lintel',
    baseURL: `${t.url}/v1`,
    apiKey,
    includeUsage: true,
    fetch: async (input, init) => {
      const answer = await fetch(input, init);
      answers.push(answer);
      return answer;
    },
  });
  return { model, answers };
}

/** The row in the request log of an answer. */
async function callOf(answer: Response | undefined): Promise<Record<string, unknown>> {
  const call = await t.call(acme.key, 'GET', `/v1/calls/${answer?.headers.get('x-request-id')}`);
  expect(call.status, call.text).toBe(200);
  return call.body;
}

describe('happy', () => {
  test('generateText: the text, the usage as billed, a row of calls', async () => {
    const { model, answers } = lintel();
    const { text, usage, finishReason } = await generateText({
      model: model('double/double'),
      prompt: 'say:门楣 hello',
    });
    expect([text, finishReason]).toEqual(['门楣 hello', 'stop']);
    expect(await callOf(answers[0])).toMatchObject({
      status: 'ok',
      model: 'double/double',
      inputTokens: usage.inputTokens,
      outputTokens: usage.outputTokens,
    });
  });

  test('streamText: the text in parts, the usage at its end', async () => {
    const { model, answers } = lintel();
    const result = streamText({ model: model('double/double'), prompt: `say:${'word '.repeat(40)}` });
    const parts: string[] = [];
    for await (const part of result.textStream) parts.push(part);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.join('').trim()).toBe('word '.repeat(40).trim());
    const { inputTokens, outputTokens } = await result.usage;
    expect(await callOf(answers[0])).toMatchObject({ status: 'ok', stream: true, inputTokens, outputTokens });
  });

  test('tools: the call comes back, the SDK runs it, its result goes up again', async () => {
    const { model, answers } = lintel();
    const asked: unknown[] = [];
    const { text, steps } = await generateText({
      model: model('double/double'),
      prompt: 'call:weather {"city":"Paris"}',
      stopWhen: stepCountIs(3),
      tools: {
        weather: tool({
          description: 'The weather of a city.',
          inputSchema: jsonSchema<{ city: string }>({
            type: 'object',
            properties: { city: { type: 'string' } },
            required: ['city'],
          }),
          execute: async (input) => {
            asked.push(input);
            return { sky: 'clear' };
          },
        }),
      },
    });
    expect(asked).toEqual([{ city: 'Paris' }]);
    expect(steps).toHaveLength(2);
    expect(text).toContain('clear');
    expect(answers).toHaveLength(2);
    for (const answer of answers) expect(await callOf(answer)).toMatchObject({ status: 'ok', kind: 'chat' });
  });

  test('an agent is a model like any other', async () => {
    const made = await t.call(acme.key, 'POST', '/v1/agents', {
      name: 'helper',
      definition: { kind: 'native', instructions: 'Help.', model: 'double/double', tools: [{ tool: 'calculator' }] },
    });
    expect(made.status, made.text).toBe(201);
    const { model, answers } = lintel();
    const { text } = await generateText({ model: model('agent/helper'), prompt: 'say:welcome' });
    expect(text).toBe('welcome');
    expect(await callOf(answers[0])).toMatchObject({ status: 'ok', kind: 'run', agentId: made.body['id'] });
  });
});

/** What the SDK throws, and how many requests it made of it. */
async function refused(apiKey?: string, id = 'double/double'): Promise<{ error: APICallError; requests: number }> {
  const { model, answers } = lintel(apiKey);
  const error = await generateText({ model: model(id), prompt: 'x' }).catch((cause: unknown) => cause);
  expect(APICallError.isInstance(error), String(error)).toBe(true);
  return { error: error as APICallError, requests: answers.length };
}

describe('errors', () => {
  test('an unknown model is 404 and names it', async () => {
    const { error, requests } = await refused(undefined, 'double/none');
    expect(error.statusCode).toBe(404);
    expect(JSON.parse(error.responseBody ?? '')).toMatchObject({ error: { code: 'model_not_found' } });
    expect(requests).toBe(1);
  });

  test('a spent budget is 402, says which, and is not tried again; the provider hears nothing', async () => {
    const other = await t.tenant('Spent');
    const limit = await t.call(t.operatorKey, 'POST', `/v1/platform/tenants/${other.id}/limits`, {
      scope: 'tenant',
      resource: 'tokens',
      window: 'day',
      amount: '1',
    });
    expect(limit.status, limit.text).toBe(201);
    const before = double.count();
    const { error, requests } = await refused(other.key);
    expect(error).toMatchObject({ statusCode: 402, isRetryable: false });
    expect(error.responseHeaders).toMatchObject({ 'x-should-retry': 'false' });
    expect(JSON.parse(error.responseBody ?? '')).toMatchObject({
      error: { code: 'insufficient_quota' },
      limit: limit.body['id'],
    });
    expect(requests).toBe(1);
    expect(double.count()).toBe(before);
  });

  test('a client that stops reading stops the provider; what was used is on the bill', async () => {
    const { model, answers } = lintel();
    const stop = new AbortController();
    const result = streamText({
      model: model(`double/${slow}`),
      prompt: `say:${'word '.repeat(100)}`,
      abortSignal: stop.signal,
      onError: () => undefined,
    });
    let seen = 0;
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta' && ++seen === 5) stop.abort();
    }
    expect(seen).toBeLessThan(100);
    await expect.poll(() => double.requests.at(-1)?.aborted).toBe(true);
    await expect
      .poll(() => t.call(acme.key, 'GET', `/v1/calls/${answers[0]?.headers.get('x-request-id')}`).then((c) => c.body))
      .toMatchObject({ status: 'cancelled', estimated: true });
  });
});

describe('security', () => {
  test('a bad key is 401, with the reason, once', async () => {
    const { error, requests } = await refused('lt_live_nothing');
    expect(error).toMatchObject({ statusCode: 401, isRetryable: false });
    expect(error.message).toMatch(/key/i);
    expect(requests).toBe(1);
  });

  test('a role without the right is 403, once; the provider hears nothing', async () => {
    const before = double.count();
    const { error, requests } = await refused(await acme.keyOf('viewer'));
    expect(error).toMatchObject({ statusCode: 403, isRetryable: false });
    expect([requests, double.count()]).toEqual([1, before]);
  });
});
