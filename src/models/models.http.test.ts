import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

let t: TestApp;
let double: OpenAiDouble;
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [t, double] = await Promise.all([startTestApp(), startOpenAiDouble()]);
  [acme, other] = [await t.tenant('Acme'), await t.tenant('Other')];
});
afterAll(() => Promise.all([t.close(), double.close()]));

const operator = (method: string, path: string, body?: unknown) => t.call(t.operatorKey, method, path, body);

/** A platform provider on the double with one priced model; `id` is what callers write as `model`. */
async function connect(name: string): Promise<{ provider: string; model: string; id: string }> {
  const provider = String(
    (
      await operator('POST', '/v1/platform/providers', {
        preset: 'openai',
        name,
        baseUrl: double.url,
        apiKey: DOUBLE_KEY,
      })
    ).body['id'],
  );
  const model = String(
    (await operator('POST', `/v1/platform/providers/${provider}/models`, { name: 'double', cheap: true })).body['id'],
  );
  await operator('POST', `/v1/platform/providers/${provider}/models/${model}/prices`, {
    currency: 'USD',
    prices: { input_tokens: '0.000001', output_tokens: '0.00001' },
  });
  return { provider, model, id: `${name}/double` };
}

function chat(key: string, model: string) {
  return t.call(key, 'POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'say:hello' }] });
}

describe('happy', () => {
  test('an operator connects a provider, tests it, adds a model; a tenant finds and calls it', async () => {
    const { provider, id } = await connect('house');
    const tested = await operator('POST', `/v1/platform/providers/${provider}/test`);
    expect(tested.body).toMatchObject({ ok: true, models: ['double', 'double-embedding'], error: null });
    const listed = await t.call(acme.key, 'GET', '/v1/models');
    expect(listed.text).toContain(`"${id}"`);
    const answer = await chat(acme.key, id);
    expect([answer.status, answer.text.includes('hello')]).toEqual([200, true]);
  });

  test('a tenant connects its own, changes and removes it', async () => {
    const target = `127.0.0.1:${double.port}`;
    const rule = await operator('POST', '/v1/platform/egress-rules', { tenantId: acme.id, target });
    expect(rule.status).toBe(201);
    const body = { preset: 'openai-compatible', name: 'ours', baseUrl: double.url, apiKey: DOUBLE_KEY };
    const made = await t.call(acme.key, 'POST', '/v1/providers', body);
    expect([made.status, made.body]).toMatchObject([201, { name: 'ours', status: 'active' }]);
    const path = `/v1/providers/${made.body['id']}`;
    expect((await t.call(acme.key, 'POST', `${path}/models`, { name: 'double' })).status).toBe(201);
    expect((await chat(acme.key, 'ours/double')).status).toBe(200);
    expect((await t.call(acme.key, 'PATCH', path, { status: 'disabled' })).body).toMatchObject({ status: 'disabled' });
    expect((await chat(acme.key, 'ours/double')).status).toBe(404);
    expect((await t.call(acme.key, 'DELETE', path)).status).toBe(204);
    expect((await t.call(acme.key, 'GET', path)).status).toBe(404);
    expect((await operator('DELETE', `/v1/platform/egress-rules/${rule.body['id']}`)).status).toBe(204);
  });

  test('presets are listed for whoever is signed in', async () => {
    const answer = await t.call(acme.key, 'GET', '/v1/provider-presets');
    expect(JSON.parse(answer.text).data.map((each: { name: string }) => each.name)).toEqual(
      expect.arrayContaining([
        'openai',
        'anthropic',
        'deepseek',
        'qwen',
        'glm',
        'kimi',
        'doubao',
        'ollama',
        'openai-compatible',
      ]),
    );
  });
});

describe('errors', () => {
  test.each([
    ['an unknown preset', { preset: 'nobody' }, '/preset'],
    ['a member we do not know', { preset: 'ollama', colour: 'red' }, '/colour'],
    ['an operator’s member', { preset: 'openai', apiKey: 'sk-12345678', sharedWith: null }, '/sharedWith'],
    ['a name that is no slug', { preset: 'openai', apiKey: 'sk-12345678', name: 'Open AI' }, '/name'],
    ['a key that is no header value', { preset: 'openai', apiKey: 'sk-1\r\nx: y' }, '/apiKey'],
    ['a missing address', { preset: 'openai-compatible', name: 'x' }, '/baseUrl'],
  ])('%s is refused with its place', async (_what, body, pointer) => {
    const answer = await t.call(acme.key, 'POST', '/v1/providers', body);
    expect(answer.status).toBe(400);
    expect(answer.body['errors']).toMatchObject([{ pointer }]);
  });

  test.each(['a\u0000b', 'a\ud800b', '', ' a'])('a model’s name that cannot be kept is refused: %j', async (name) => {
    const { provider } = await connect(`names-${Buffer.from(name).toString('hex') || 'none'}`);
    const answer = await operator('POST', `/v1/platform/providers/${provider}/models`, { name });
    expect(answer.status).toBe(400);
  });

  test.each(['-1', '1e-6', '1234567890', '0.0000000000001'])('a price that is none is refused: %s', async (price) => {
    const { provider, model } = await connect(`price-${price.replace(/[^0-9]/g, 'x')}`);
    const path = `/v1/platform/providers/${provider}/models/${model}/prices`;
    const answer = await operator('POST', path, { currency: 'USD', prices: { input_tokens: price } });
    expect(answer.status).toBe(400);
  });
});

describe('security', () => {
  test('another tenant sees of a provider what it sees of none', async () => {
    const made = await t.call(acme.key, 'POST', '/v1/providers', {
      preset: 'openai',
      name: 'mine',
      apiKey: 'sk-1234567890',
    });
    const model = await t.call(acme.key, 'POST', `/v1/providers/${made.body['id']}/models`, { name: 'm' });
    const unknown = 'prv_01m81x081pe00bzdk2kknyq7wt';
    const requests = (id: string): [string, string, unknown?][] => [
      ['GET', `/v1/providers/${id}`],
      ['PATCH', `/v1/providers/${id}`, { status: 'disabled' }],
      ['DELETE', `/v1/providers/${id}`],
      ['POST', `/v1/providers/${id}/test`],
      ['GET', `/v1/providers/${id}/models`],
      ['POST', `/v1/providers/${id}/models`, { name: 'x' }],
      ['PATCH', `/v1/providers/${id}/models/${model.body['id']}`, { contextTokens: 1 }],
      ['DELETE', `/v1/providers/${id}/models/${model.body['id']}`],
      ['GET', `/v1/providers/${id}/models/${model.body['id']}/prices`],
      ['POST', `/v1/providers/${id}/models/${model.body['id']}/prices`, { currency: 'USD', prices: { requests: '1' } }],
    ];
    const theirs = requests(String(made.body['id']));
    const nobodys = requests(unknown);
    for (const [i, request] of theirs.entries()) {
      const [a, b] = [await t.call(other.key, ...request), await t.call(other.key, ...(nobodys[i] as typeof request))];
      expect([request[1], a.status]).toEqual([request[1], 404]);
      expect({ ...a.body, requestId: '' }).toEqual({ ...b.body, requestId: '' });
    }
    expect((await t.call(acme.key, 'GET', `/v1/providers/${made.body['id']}`)).body).toMatchObject({
      status: 'active',
    });
    expect((await t.call(other.key, 'GET', '/v1/models')).text).not.toContain('mine/m');
  });

  test('the platform’s providers are not among a tenant’s, nor its routes open to tenants', async () => {
    const { provider } = await connect('hidden');
    expect((await t.call(acme.key, 'GET', `/v1/providers/${provider}`)).status).toBe(404);
    for (const path of [
      '/v1/platform/providers',
      `/v1/platform/providers/${provider}`,
      '/v1/platform/provider-offers',
      '/v1/platform/egress-rules',
    ])
      expect([path, (await t.call(acme.key, 'GET', path)).status]).toEqual([path, 403]);
    expect((await t.call(acme.key, 'POST', '/v1/platform/egress-rules', { target: '127.0.0.1:80' })).status).toBe(403);
  });

  test('who may not change providers is refused, who may not sign in even more so', async () => {
    const viewer = await acme.keyOf('viewer');
    const developer = await acme.keyOf('developer');
    expect((await t.call(viewer, 'GET', '/v1/providers')).status).toBe(200);
    for (const key of [viewer, developer])
      expect((await t.call(key, 'POST', '/v1/providers', { preset: 'ollama' })).status).toBe(403);
    expect((await t.call(undefined, 'GET', '/v1/providers')).status).toBe(401);
  });

  test('a tenant’s provider cannot point inside, and no answer shows a key', async () => {
    for (const baseUrl of [double.url, 'http://169.254.169.254/v1', 'https://[::1]/v1', 'http://localhost:1/v1']) {
      const body = { preset: 'openai-compatible', name: 'inside', baseUrl, apiKey: 'sk-unmistakable-1' };
      const answer = await t.call(other.key, 'POST', '/v1/providers', body);
      expect([baseUrl, answer.status]).toEqual([baseUrl, 400]);
    }
    const body = { preset: 'openai', name: 'shown', apiKey: 'sk-unmistakable-2468' };
    const made = await t.call(other.key, 'POST', '/v1/providers', body);
    expect(made.body['keyHint']).toBe('2468');
    const all = [
      made,
      await t.call(other.key, 'GET', '/v1/providers'),
      await t.call(other.key, 'GET', '/v1/audit/events'),
    ];
    expect(all.map((each) => each.status)).toEqual([201, 200, 200]);
    expect(all.map((each) => each.text).join()).not.toContain('unmistakable');
  });
});
