import { Agent as HttpAgent, type IncomingMessage, request } from 'node:http';
import { expect, test } from 'vitest';

import { startTestApp } from '#test/app';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';

type Got = { status: number; headers: IncomingMessage['headers']; text: string };

function send(url: string, key: string, method: string, path: string, more: { body?: unknown; agent?: HttpAgent } = {}) {
  return new Promise<Got>((resolve, reject) => {
    const sent = request(
      `${url}${path}`,
      {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(more.agent === undefined ? {} : { agent: more.agent }),
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (piece: string) => (text += piece));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
        answer.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(more.body === undefined ? undefined : JSON.stringify(more.body));
  });
}

test('the end waits for calls, refuses new ones, and is not held up by those who only watch', async () => {
  const double = await startOpenAiDouble();
  const house = await startTestApp();
  let closed = false;
  try {
    await house.call(house.operatorKey, 'POST', '/v1/platform/egress-rules', { cidr: '127.0.0.0/8' });
    const provider = await house.call(house.operatorKey, 'POST', '/v1/platform/providers', {
      name: 'double',
      preset: 'openai-compatible',
      baseUrl: double.baseUrl,
      apiKey: DOUBLE_KEY,
    });
    expect(provider.status).toBe(201);
    const tenant = await house.tenant('Watcher');
    const watching = send(house.url, tenant.key, 'GET', '/v1/stream?topics=calls');
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
    expect((await send(house.url, tenant.key, 'GET', '/healthz', { agent })).status).toBe(200);
    const call = send(house.url, tenant.key, 'POST', '/v1/chat/completions', {
      body: { model: 'double/double-gap-150', stream: true, messages: [{ role: 'user', content: 'Tell me much.' }] },
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const end = house.close().then(() => {
      closed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const refused = await send(house.url, tenant.key, 'GET', '/v1/calls', { agent });
    expect(refused.status).toBe(503);
    expect(refused.headers.connection).toBe('close');
    expect(refused.headers['x-request-id']).toMatch(/^req_/);
    expect(JSON.parse(refused.text)).toMatchObject({ status: 503, requestId: refused.headers['x-request-id'] });
    expect((await watching).status).toBe(200);
    const answer = await call;
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('data: [DONE]');
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 15_000))]);
    expect(closed).toBe(true);
  } finally {
    await double.close();
  }
}, 60_000);
