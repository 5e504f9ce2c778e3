import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

import { testProvider } from './test-provider.ts';

let double: OpenAiDouble;
const odd = createServer(async (request, response) => {
  const [, kind, , last] = (request.url ?? '').split('/');
  if (kind === 'unlisted' && last === 'completions') {
    asked = JSON.parse(await text(request));
    return response.end('{"choices": []}');
  }
  if (kind === 'silent') return;
  if (kind === 'page') response.end('<html>hello</html>');
  else response.writeHead(kind === 'unlisted' ? 404 : Number(kind)).end('{}');
});
let asked: unknown;
let oddUrl: string;
let closedUrl: string;

beforeAll(async () => {
  const gone = await startOpenAiDouble();
  closedUrl = gone.url;
  await gone.close();
  double = await startOpenAiDouble();
  await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve));
  oddUrl = `http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await double.close();
  odd.closeAllConnections();
  odd.close();
});

const monotonic = () => performance.now();

function tried(baseUrl: string, key: string | undefined, limitMs?: number) {
  return testProvider({ baseUrl, key }, fetch, monotonic, limitMs);
}

test('a provider that answers shows its models', async () => {
  const result = await tried(double.url, DOUBLE_KEY);
  expect(result).toMatchObject({ ok: true, models: ['double', 'double-embedding'], error: null });
});

test('without a list of models one token of a known model is asked for', async () => {
  const model = { name: 'm', capField: 'max_tokens' };
  const provider = { baseUrl: `${oddUrl}/unlisted`, key: 'k' };
  expect((await testProvider(provider, fetch, monotonic)).error?.code).toBe('not-found');
  expect(await testProvider({ ...provider, model }, fetch, monotonic)).toMatchObject({ ok: true, models: [] });
  expect(asked).toMatchObject({ model: 'm', max_tokens: 1 });
});

test.each([
  ['a wrong key', () => tried(double.url, 'sk-wrong'), 'unauthorized'],
  ['a wrong path', () => tried(double.url.replace('/v1', '/v9'), DOUBLE_KEY), 'not-found'],
  ['something that is no such API', () => tried(`${oddUrl}/page`, undefined), 'not-openai'],
  ['a server error', () => tried(`${oddUrl}/500`, undefined), 'failed'],
  ['a rate limit', () => tried(`${oddUrl}/429`, undefined), 'rate-limited'],
  ['silence', () => tried(`${oddUrl}/silent`, undefined, 50), 'timeout'],
  ['nobody there', () => tried(closedUrl, undefined), 'unreachable'],
])('%s is told apart', async (_what, run, code) => {
  const result = await run();
  expect(result.ok).toBe(false);
  expect(result.error?.code).toBe(code);
  expect(result.error?.detail).not.toContain('sk-');
  if (code === 'unreachable') expect(result.error?.detail).toContain('ECONNREFUSED');
});
