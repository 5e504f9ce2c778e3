import { connect } from 'node:net';
import { expect, test } from 'vitest';

import { startTestApp } from '#test/app';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('the end waits for calls, refuses new ones, and is not held up by those who only watch', async () => {
  const double = await startOpenAiDouble();
  const house = await startTestApp();
  let closed = false;
  try {
    const provider = await house.call(house.operatorKey, 'POST', '/v1/platform/providers', {
      name: 'double',
      preset: 'openai-compatible',
      baseUrl: double.url,
      apiKey: DOUBLE_KEY,
    });
    expect(provider.status).toBe(201);
    const tenant = await house.tenant('Watcher');
    const model = await house.call(house.operatorKey, 'POST', `/v1/platform/providers/${provider.body['id']}/models`, {
      name: 'double-gap-150',
      cheap: true,
    });
    expect(model.status).toBe(201);
    const watching = house.call(tenant.key, 'GET', '/v1/stream?topics=calls');
    const headers = `host: lintel\r\nauthorization: Bearer ${tenant.key}\r\n`;
    const body = JSON.stringify({
      model: 'double/double-gap-150',
      stream: true,
      messages: [{ role: 'user', content: 'Tell me much.' }],
    });
    const socket = connect(Number(new URL(house.url).port), '127.0.0.1');
    let said = '';
    socket.on('data', (data) => (said += data.toString()));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\n${headers}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    while (!said.includes('data: ')) await rest(20);
    const end = house.close().then(() => {
      closed = true;
    });
    await rest(50);
    // On the connection that is kept for the call: a new one could not be made.
    socket.write(`GET /v1/calls HTTP/1.1\r\n${headers}\r\n`);
    expect((await watching).status).toBe(200);
    await Promise.race([Promise.all([end, ended]), rest(15_000)]);
    expect(closed).toBe(true);
    const [first, second = ''] = said.split(/(?=HTTP\/1\.1 503)/);
    expect(first).toMatch(/^HTTP\/1\.1 200/);
    expect(first).toContain('data: [DONE]');
    expect(second.toLowerCase()).toContain('connection: close');
    const id = /x-request-id: (req_\w+)/.exec(second)?.[1];
    expect(JSON.parse(second.slice(second.indexOf('{')))).toMatchObject({ status: 503, requestId: id });
  } finally {
    await double.close();
  }
}, 60_000);
