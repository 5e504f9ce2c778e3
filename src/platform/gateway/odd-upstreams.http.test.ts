import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startTestApp, type TestApp, type TestTenant } from '#test/app';

const usage = '"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}';
const plain = `{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"}}],${usage}}`;
const chunk = (content: string) => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`;
const last = `data: {"choices":[],${usage}}\n\n`;
const json = (body: string, more = '') =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const sse = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n';

/** What the upstream does, by the name of the model: it writes bytes as they are. */
const ways: Record<string, (socket: Socket) => void> = {
  hints: (socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${json(plain)}`),
  redirect: (socket) =>
    socket.write('HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 4\r\n\r\ngone'),
  astray: (socket) =>
    socket.write(
      'HTTP/1.1 307 Temporary Redirect\r\nlocation: /v1/elsewhere\r\nset-cookie: a=b\r\ncontent-length: 4\r\n\r\ngone',
    ),
  empty: (socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
  gzip: (socket) => {
    const body = gzipSync(plain);
    socket.write(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
  },
  'gzip-stream': (socket) => {
    socket.write(
      'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n',
    );
    socket.end(gzipSync(`${chunk('hi')}${last}data: [DONE]\n\n`));
  },
  'odd-type': (socket) => socket.write(json(plain, '').replace('application/json', 'application/json; x="门楣"')),
  lingers: (socket) => socket.write(`${sse}${chunk('hi')}${last}data: [DONE]\n\n`),
  'cut-after-done': (socket) => {
    socket.write(
      `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${chunked(`${chunk('hi')}${last}data: [DONE]\n\n`)}`,
    );
    setTimeout(() => socket.destroy(), 50);
  },
  flood: (socket) => {
    socket.once('close', () => (floodEnded = true));
    const more = () => {
      while (!socket.destroyed && socket.write(chunk('word '.repeat(10_000))));
    };
    socket.on('drain', more);
    socket.write(sse);
    more();
  },
  pauses: (socket) => {
    socket.write(`${sse}${chunk('hi')}`);
    setTimeout(() => socket.end(`${last}data: [DONE]\n\n`), 2_500);
  },
  'no-blank-line': (socket) => socket.end(`${sse}${chunk('hi')}data: [DONE]\n`),
  'after-done': (socket) => socket.end(`${sse}${chunk('hi')}${last}data: [DONE]\n\n${chunk('too late')}`),
  endless: (socket) => {
    socket.write(sse);
    const more = () => {
      while (!socket.destroyed && socket.write('x'.repeat(65_536)));
    };
    socket.on('drain', more);
    socket.write('data: ');
    more();
  },
};

let upstream: Server;
let floodEnded = false;
let house: TestApp;
let tenant: TestTenant;
const asked: string[] = [];

beforeAll(async () => {
  upstream = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      text += data.toString();
      const model = /"model":"([^"]+)"/.exec(text)?.[1];
      if (model === undefined || !text.trimEnd().endsWith('}')) return;
      asked.push(text);
      text = '';
      ways[model]?.(socket);
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  house = await startTestApp({
    env: {
      LINTEL_UPSTREAM_IDLE_SECONDS: '600',
      LINTEL_UPSTREAM_MAX_BYTES: '4194304',
      LINTEL_CLIENT_STALL_SECONDS: '1',
    },
  });
  const provider = await house.call(house.operatorKey, 'POST', '/v1/platform/providers', {
    name: 'odd',
    preset: 'openai-compatible',
    baseUrl: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`,
    apiKey: 'none',
  });
  for (const name of Object.keys(ways)) {
    const made = await house.call(house.operatorKey, 'POST', `/v1/platform/providers/${provider.body['id']}/models`, {
      name,
    });
    expect(made.status).toBe(201);
  }
  tenant = await house.tenant('Odd');
});

afterAll(async () => {
  await house.close();
  upstream.close();
});

const ask = (model: string, stream = false) =>
  house.call(tenant.key, 'POST', '/v1/chat/completions', {
    model: `odd/${model}`,
    stream,
    messages: [{ role: 'user', content: 'hello' }],
  });

async function rowOf(requestId: string | null) {
  const answer = await house.call(tenant.key, 'GET', `/v1/calls/${requestId}`);
  expect(answer.status).toBe(200);
  return answer.body as Record<string, unknown>;
}

function chunked(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

describe('happy', () => {
  test('an informational answer is not the answer', async () => {
    const answer = await ask('hints');
    expect([answer.status, answer.text]).toEqual([200, plain]);
  });

  test('a content type that no header can hold does not lose the answer', async () => {
    const answer = await ask('odd-type');
    expect([answer.status, answer.text]).toEqual([200, plain]);
  });

  test.each(['lingers', 'cut-after-done', 'after-done'])(
    '[DONE] ends a stream, whatever comes after (%s)',
    async (model) => {
      const answer = await ask(model, true);
      expect(answer.status).toBe(200);
      expect(answer.text.trimEnd().endsWith('data: [DONE]')).toBe(true);
      expect(answer.text).not.toContain('error');
      expect(answer.text).not.toContain('too late');
      expect(await rowOf(answer.headers.get('x-request-id'))).toMatchObject({ status: 'ok', estimated: false });
    },
  );

  test('a last event without its blank line counts', async () => {
    const answer = await ask('no-blank-line', true);
    expect(answer.text.trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect(await rowOf(answer.headers.get('x-request-id'))).toMatchObject({ status: 'ok', estimated: true });
  });

  test('a client that waits for a provider which pauses is not gone', async () => {
    const answer = await ask('pauses', true);
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('[DONE]')]);
  });
});

describe('errors', () => {
  test.each(['redirect', 'empty'])('an answer that is none (%s) is the provider’s failure', async (model) => {
    const answer = await ask(model);
    expect(answer.status).toBe(502);
    expect(answer.body).toMatchObject({ error: { code: 'upstream_failed' } });
    expect(await rowOf(answer.headers.get('x-request-id'))).toMatchObject({ status: 'failed', httpStatus: 502 });
  });

  test('a provider is asked for plain text; one that compresses all the same has failed', async () => {
    for (const [model, stream] of [
      ['gzip', false],
      ['gzip-stream', true],
    ] as const) {
      const answer = await ask(model, stream);
      expect([answer.status, answer.text]).toEqual([502, expect.stringContaining('gzip')]);
    }
    expect(asked.every((text) => /\r\naccept-encoding: identity\r\n/i.test(text))).toBe(true);
  });

  test('an event that never ends is cut', async () => {
    const answer = await ask('endless', true);
    expect(answer.text).toContain('larger than');
    expect(await rowOf(answer.headers.get('x-request-id'))).toMatchObject({ status: 'failed' });
  }, 30_000);

  test('a client that stops reading is gone: the provider is let go, what was used so far is settled', async () => {
    const answer = await fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'odd/flood', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
    });
    const reader = answer.body?.getReader();
    await reader?.read();
    for (const end = performance.now() + 20_000; !floodEnded; ) {
      if (performance.now() > end) throw new Error('the provider still holds its connection');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const id = answer.headers.get('x-request-id');
    for (const end = performance.now() + 5_000; performance.now() < end; ) {
      if ((await house.call(tenant.key, 'GET', `/v1/calls/${id}`)).status === 200) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const row = await rowOf(id);
    expect(row).toMatchObject({ status: 'cancelled', estimated: true });
    expect(row['outputTokens']).toBeGreaterThan(0);
    await reader?.cancel().catch(() => undefined);
  }, 40_000);
});

describe('security', () => {
  test('a provider cannot send the request, and the key with it, elsewhere', async () => {
    const before = asked.length;
    const answer = await ask('astray');
    expect([answer.status, answer.headers.get('location'), answer.headers.get('set-cookie')]).toEqual([
      502,
      null,
      null,
    ]);
    const requests = asked.slice(before).map((text) => text.split('\r\n')[0]);
    expect(requests).toEqual(['POST /v1/chat/completions HTTP/1.1']);
  });
});
