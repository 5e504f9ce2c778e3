import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createLogger } from '#kernel/logger';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

/** Would end a header and begin another, or forge a line of a log; and letters that no header can hold. */
const forged = 'a\r\nx-evil: 1\r\n\r\n{"level":"error","msg":"forged"}\n';
const foreign = '门楣 – Ünïcode 🏠';

let house: TestApp;
let tenant: TestTenant;
let double: OpenAiDouble;
let provider: string;
const logged: string[] = [];

beforeAll(async () => {
  double = await startOpenAiDouble({ models: ['double', `${foreign}2`] });
  const log = createLogger('trace', {}, { write: (line) => logged.push(line) });
  house = await startTestApp({ log });
  tenant = await house.tenant('Acme');
  const made = await house.call(house.operatorKey, 'POST', '/v1/platform/providers', {
    name: 'double',
    preset: 'openai-compatible',
    baseUrl: double.url,
    apiKey: DOUBLE_KEY,
  });
  provider = String(made.body['id']);
  await house.call(house.operatorKey, 'POST', '/v1/platform/egress-rules', { target: '127.0.0.0/8' });
});
afterAll(async () => {
  await house.close();
  await double.close();
});

/** Every way in which a text of a user's is kept under a name, or becomes a header of a request of ours. */
const ways: Record<string, (text: string) => Promise<{ status: number; headers: Headers; text: string }>> = {
  'provider name': (text) => make(house.operatorKey, '/v1/platform/providers', { ...endpoint(), name: text }),
  'provider key': (text) =>
    make(house.operatorKey, '/v1/platform/providers', { ...endpoint(), name: `k${count++}`, apiKey: text }),
  'model name': (text) => make(house.operatorKey, `/v1/platform/providers/${provider}/models`, { name: text }),
  'tenant name': (text) => make(house.operatorKey, '/v1/platform/tenants', { name: text }),
  'key name': (text) => make(tenant.key, '/v1/api-keys', { name: text }),
  'agent name': (text) => make(tenant.key, '/v1/agents', { name: text, definition: native() }),
  'plan name': (text) => make(house.operatorKey, '/v1/platform/plans', { name: text, currency: 'EUR', prices: [] }),
  'plan currency': (text) =>
    make(house.operatorKey, '/v1/platform/plans', { name: `p${count++}`, currency: text, prices: [] }),
  'header of an external agent': (text) =>
    make(tenant.key, '/v1/agents', {
      name: `external-${count++}`,
      definition: { kind: 'external', protocol: 'openai', url: double.url, model: 'double' },
      headers: { 'x-own': text },
    }),
};
let count = 0;
const endpoint = () => ({ preset: 'openai-compatible', baseUrl: double.url, apiKey: DOUBLE_KEY });
const native = () => ({ kind: 'native', instructions: '', model: 'lintel/router' });
const make = (key: string, path: string, body: unknown) => house.call(key, 'POST', path, body);

function expectClean(headers: Headers): void {
  expect(headers.get('x-evil')).toBeNull();
  for (const [name, value] of headers) expect(`${name}: ${value}`).toMatch(/^[\x20-\x7e]*$/);
}

describe('happy', () => {
  test('names of callers, models and agents that no header can hold: calls are served, and their headers are clean', async () => {
    const key = await make(tenant.key, '/v1/api-keys', { name: forged, role: 'owner' });
    const secret = String(key.body['key']);
    const other = await make(house.operatorKey, `/v1/platform/providers/${provider}/models`, {
      name: `${foreign}2`,
    });
    expect([key.status, other.status]).toEqual([201, 201]);
    await make(tenant.key, '/v1/agents', { name: 'support', description: foreign, definition: native() });
    const ask = (model: string, stream: boolean) =>
      house.call(
        secret,
        'POST',
        '/v1/chat/completions',
        { model, stream, messages: [{ role: 'user', content: forged }] },
        { 'user-agent': 'caf\u00e9', traceparent: '\u00e9' },
      );
    for (const stream of [false, true]) {
      for (const [model, status] of [
        [`double/${foreign}2`, 200],
        ['agent/support', 200],
        [`double/${forged}`, 404],
        [`agent/${forged}`, 404],
        [`nobody/${foreign}`, 404],
      ] as const) {
        const answer = await ask(model, stream);
        expect([model, answer.status, answer.text]).toEqual([model, status, expect.any(String)]);
        expectClean(answer.headers);
      }
    }
    const wrong = await house.call(secret, 'GET', `/v1/nothing/${encodeURIComponent(forged)}`);
    expect(wrong.status).toBe(404);
    expectClean(wrong.headers);
  });
});

describe('errors', () => {
  test.each([
    ['x-own', 'own', 1],
    ['x-own\r\nx-evil', 'own', 0],
    ['x own', 'own', 0],
    ['x-门楣', 'own', 0],
    ['', 'own', 0],
    ['x-own', forged, 0],
    ['x-own', foreign, 0],
  ])(
    'an agent elsewhere with the header %j: %j is asked as often as that can be sent: %d',
    async (name, value, times) => {
      const made = await make(tenant.key, '/v1/agents', {
        name: `external-${count++}`,
        definition: { kind: 'external', protocol: 'openai', url: double.url, model: 'double' },
        headers: { authorization: `Bearer ${DOUBLE_KEY}`, [name]: value },
      });
      const before = double.count();
      const ran = await make(tenant.key, `/v1/agents/${made.body['id']}/runs`, { input: 'hello' });
      expect(made.status, made.text).toBeLessThan(500);
      for (const { headers } of [made, ran]) expectClean(headers);
      expect(double.count() - before).toBe(times);
      // Nothing was sent, so nothing is in doubt: the run fails, and names the header without what stands in it.
      if (times === 1) expect(ran.body['status']).toBe('finished');
      else if (made.status !== 201) expect(made.status).toBe(400);
      else
        expect([ran.status, ran.text]).toEqual([502, expect.stringContaining('characters that HTTP does not allow')]);
    },
  );
});

describe('security', () => {
  test.each(
    Object.keys(ways).flatMap((way) => [
      [way, 'line breaks', forged] as const,
      [way, 'other scripts', foreign] as const,
    ]),
  )('%s with %s is taken or refused, and reaches no header as it is', async (way, _kind, text) => {
    const answer = await ways[way]?.(text);
    expect(answer?.status, answer?.text).toBeLessThan(500);
    expectClean(answer?.headers as Headers);
  });

  test('each entry of the log is one line, whatever stands in it', () => {
    const lines = logged.join('').split('\n').filter(Boolean);
    expect(lines.length).toBe(logged.length);
    for (const line of lines) expect(JSON.parse(line).msg).not.toBe('forged');
  });
});
