import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';

let t: TestApp;
let acme: TestTenant;

beforeAll(async () => {
  t = await startTestApp();
  acme = await t.tenant('Acme');
});
afterAll(() => t.close());

const as = (method: string, path: string, body?: unknown) => t.call(acme.key, method, path, body);
const label = { engine: 'deterministic-router' };
const native = { kind: 'native', instructions: 'Help.', tools: [{ tool: 'calculator' }] };
const external = { kind: 'external', protocol: 'http', url: 'https://agents.example/ask' };
const messages = [{ role: 'user' as const, content: 'What is 12 * 34?' }];

/** What lists say of the things named. */
async function listed(path: string, name: string) {
  const data = (await as('GET', path)).body['data'] as unknown as Record<string, unknown>[];
  return data.filter((each) => [each['id'], each['name']].includes(name));
}

describe('happy', () => {
  test('an agent that names no model asks the router, and every list and answer says what answers', async () => {
    const made = await as('POST', '/v1/agents', { name: 'open', definition: native });
    expect([made.status, made.body]).toMatchObject([201, label]);
    const path = `/v1/agents/${made.body['id']}`;
    expect((await as('GET', path)).body).toMatchObject(label);
    expect(await listed('/v1/agents', 'open')).toMatchObject([label]);
    expect(await listed(`${path}/versions`, 'open')).toEqual([]);
    expect((await as('GET', `${path}/versions`)).text).toContain('"model":"lintel/router"');
    for (const id of ['agent/open', 'lintel/router'])
      expect(await listed('/v1/models', id)).toMatchObject([{ lintel: label }]);
    const run = await as('POST', `${path}/runs`, { input: 'What is 12 * 34?' });
    expect([run.status, run.body]).toMatchObject([200, label]);
    expect(run.headers.get('x-lintel-price')).toBe(`${run.body['price']} ${run.body['currency']}`);
    const id = String(run.body['id']);
    expect((await as('GET', `/v1/runs/${id}`)).body).toMatchObject(label);
    expect(await listed('/v1/runs', id)).toMatchObject([label]);
    const streamed = await as('POST', `${path}/runs`, { input: 'hello', mode: 'stream' });
    expect(streamed.text.split('event: run\n').at(-1)).toContain('"engine":"deterministic-router"');
  });

  test('a stock client reads the router’s answers, each with an id of its own and the model that was named', async () => {
    const client = new OpenAI({ apiKey: acme.key, baseURL: `${t.url}/v1` });
    const ids = new Set<string>();
    for (const model of ['lintel/router', 'agent/open']) {
      for (let i = 0; i < 2; i++) {
        const answer = await client.chat.completions.create({ model, messages });
        expect(answer).toMatchObject({ model, lintel: label });
        ids.add(answer.id);
      }
      const chunks: unknown[] = [];
      for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
        expect(chunk.model).toBe(model);
        chunks.push(chunk);
        ids.add(chunk.id);
      }
      expect(chunks.at(-1)).toMatchObject({ lintel: label });
    }
    expect(ids.size).toBe(6);
  });
});

describe('errors', () => {
  test('where a model is connected, it is named; agents that run elsewhere are not labelled', async () => {
    await t.call(t.operatorKey, 'POST', '/v1/platform/egress-rules', { target: '127.0.0.0/8' });
    const far = await as('POST', '/v1/agents', {
      name: 'far',
      definition: { ...external, url: 'http://127.0.0.1:1/' },
    });
    expect([far.status, far.body]).toMatchObject([201, { engine: null }]);
    const provider = { preset: 'openai', name: 'house', baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k' };
    const { body } = await t.call(t.operatorKey, 'POST', '/v1/platform/providers', provider);
    await t.call(t.operatorKey, 'POST', `/v1/platform/providers/${body['id']}/models`, { name: 'm' });
    const made = await as('POST', '/v1/agents', { name: 'vague', definition: native });
    expect([made.status, made.body['errors']]).toMatchObject([400, [{ pointer: '/definition/model' }]]);
    const named = await as('POST', '/v1/agents', { name: 'named', definition: { ...native, model: 'house/m' } });
    expect([named.status, named.body]).toMatchObject([201, { engine: 'language-model' }]);
  });
});

describe('security', () => {
  test('what answers is told to those who may read the agent: no key 401, no right 403, another tenant 404', async () => {
    const made = await as('POST', '/v1/agents', { name: 'shy', definition: { ...native, model: 'lintel/router' } });
    const path = `/v1/agents/${made.body['id']}`;
    expect((await as('GET', path)).body).toMatchObject(label);
    const other = await t.tenant('Other');
    const { auth } = t.app.services;
    const narrow = await auth.keys.createKey(acme.uuid, { name: 'n', scopes: ['calls:read'] }, systemCause('test'));
    for (const [key, status] of [
      [undefined, 401],
      [narrow.secret, 403],
      [other.key, 404],
    ] as const) {
      const answer = await t.call(key, 'GET', path);
      expect([answer.status, answer.text.includes(label.engine)]).toEqual([status, false]);
    }
  });
});
