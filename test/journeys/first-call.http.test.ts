import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

let t: TestApp;
let double: OpenAiDouble;
let acme: TestTenant;

beforeAll(async () => {
  double = await startOpenAiDouble();
  t = await startTestApp();
  acme = await t.tenant('Acme');
});
afterAll(async () => {
  await t.close();
  await double.close();
});

describe('happy', () => {
  test('an operator connects a model and prices it; a tenant calls it; the call is on the bill', async () => {
    const provider = await t.call(t.operatorKey, 'POST', '/v1/platform/providers', {
      preset: 'openai-compatible',
      name: 'double',
      baseUrl: double.url,
      apiKey: DOUBLE_KEY,
    });
    expect(provider.body).toMatchObject({ name: 'double' });
    expect(provider.text).not.toContain(DOUBLE_KEY);
    const model = await t.call(t.operatorKey, 'POST', `/v1/platform/providers/${provider.body['id']}/models`, {
      name: 'double',
      kind: 'chat',
    });
    expect(model.status, model.text).toBe(201);
    const client = new OpenAI({ baseURL: `${t.url}/v1`, apiKey: acme.key, maxRetries: 0 });
    const { data, response } = await client.chat.completions
      .create({ model: 'double/double', messages: [{ role: 'user', content: 'say:hello' }] })
      .withResponse();
    expect(data.choices[0]?.message.content).toBe('hello');
    const id = response.headers.get('x-request-id') as string;
    const call = await t.call(acme.key, 'GET', `/v1/calls/${id}`);
    expect(call.status, call.text).toBe(200);
    expect(call.body).toMatchObject({
      id,
      status: 'ok',
      model: 'double/double',
      inputTokens: data.usage?.prompt_tokens,
    });
    const usage = await t.call(acme.key, 'GET', '/v1/usage?groupBy=model');
    expect(usage.status, usage.text).toBe(200);
    const invoice = await t.call(acme.key, 'GET', '/v1/invoices/upcoming');
    expect(invoice.status, invoice.text).toBe(200);
  });

  test('the built-in router is a model like any other: tools, streams, price 0', async () => {
    const client = new OpenAI({ baseURL: `${t.url}/v1`, apiKey: acme.key, maxRetries: 0 });
    const tools = [
      {
        type: 'function' as const,
        function: {
          name: 'weather',
          description: 'The weather of a city.',
          parameters: {
            type: 'object',
            properties: { city: { type: 'string', description: 'City' } },
            required: ['city'],
          },
        },
      },
    ];
    const messages = [{ role: 'user' as const, content: 'What is the weather in "Paris"?' }];
    const plain = await client.chat.completions.create({ model: 'lintel/router', messages, tools });
    expect(plain.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { name: 'weather', arguments: '{"city":"Paris"}' },
    });
    const stream = await client.chat.completions.create({ model: 'lintel/router', messages, tools, stream: true });
    let name = '';
    for await (const chunk of stream) name += chunk.choices[0]?.delta.tool_calls?.[0]?.function?.name ?? '';
    expect(name).toBe('weather');
  });
});

describe('errors', () => {
  test('refused calls are rows of calls, coalesced: the first has its own, the rest of the second a count', async () => {
    const key = await acme.keyOf('viewer');
    const ask = () =>
      t.call(key, 'POST', '/v1/chat/completions', {
        model: 'double/double',
        messages: [{ role: 'user', content: 'x' }],
      });
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]));
    expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBeLessThanOrEqual(2);
    for (const { headers, body } of answers) expect(body['requestId']).toBe(headers.get('x-request-id'));
    const limited = await acme.keyOf('developer');
    const keys = (await t.call(acme.key, 'GET', '/v1/api-keys?limit=1')).body as unknown as { data: { id: string }[] };
    const id = keys.data[0]?.id;
    const made = await t.call(acme.key, 'POST', '/v1/limits', {
      scope: 'key',
      scopeId: id,
      resource: 'requests',
      window: 'second',
      amount: '1',
    });
    expect(made.status, made.text).toBe(201);
    const rates = await Promise.all(
      Array.from({ length: 10 }, () =>
        t.call(limited, 'POST', '/v1/chat/completions', {
          model: 'double/double',
          messages: [{ role: 'user', content: 'x' }],
        }),
      ),
    );
    expect(rates.filter(({ status }) => status === 429).length).toBeGreaterThan(5);
    await expect
      .poll(
        async () => {
          const { body } = await t.call(acme.key, 'GET', '/v1/calls?status=refused');
          const rows = (body as unknown as { data: { httpStatus: number; requests: number }[] }).data;
          const sum = (status: number) =>
            rows.filter(({ httpStatus }) => httpStatus === status).reduce((all, { requests }) => all + requests, 0);
          return [sum(403), sum(429)];
        },
        { timeout: 5_000 },
      )
      .toEqual([20, rates.filter(({ status }) => status === 429).length]);
  });
});

describe('security', () => {
  test('no credential 401, a role without the right 403; another tenant’s call is an unknown one', async () => {
    const client = new OpenAI({ baseURL: `${t.url}/v1`, apiKey: acme.key, maxRetries: 0 });
    const messages = [{ role: 'user' as const, content: 'say:hello' }];
    const { response } = await client.chat.completions.create({ model: 'double/double', messages }).withResponse();
    const path = `/v1/calls/${response.headers.get('x-request-id')}`;
    expect((await t.call(acme.key, 'GET', path)).status).toBe(200);
    const other = await t.tenant('Other');
    const [foreign, unknown] = [
      await t.call(other.key, 'GET', path),
      await t.call(other.key, 'GET', '/v1/calls/call_01m81x081pe00bzdk2kknyq7wt'),
    ];
    expect([foreign.status, { ...foreign.body, requestId: '' }]).toEqual([404, { ...unknown.body, requestId: '' }]);
    for (const [key, status] of [
      [undefined, 401],
      [`${acme.key.slice(0, -1)}_`, 401],
      [await acme.keyOf('viewer'), 403],
    ] as const)
      expect((await t.call(key, 'POST', '/v1/chat/completions', { model: 'double/double', messages })).status).toBe(
        status,
      );
  });
});
