import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { createLintel, type Lintel, LintelError } from './client.ts';
import { retryAfterMs, type Sender, send } from './send.ts';

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string };
type Handler = (seen: Seen, response: ServerResponse, count: number) => void;

const closers: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(handler: Handler): Promise<{ baseUrl: string; seen: Seen[]; lintel: Lintel }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      handler(seen.at(-1) as Seen, response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { baseUrl, seen, lintel: createLintel({ baseUrl, apiKey: 'lt_test_x' }) };
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** A sender that notes its waits instead of waiting. */
function senderFor(baseUrl: string, waits: number[]): Sender {
  return {
    baseUrl,
    apiKey: undefined,
    fetch: globalThis.fetch,
    maxRetries: 3,
    wait: async (ms) => {
      waits.push(ms);
    },
  };
}

const anyInput = (value: unknown) => value as never;

describe('request', () => {
  it('fills path and query, sends the key, and reads the answer', async () => {
    const { lintel, seen } = await serve((_, response) => json(response, 200, { id: 'key_1' }));
    const answer = await lintel.request(
      'GET /v1/api-keys/{id}',
      anyInput({ path: { id: 'a/b' }, query: { x: undefined } }),
    );
    expect(answer).toEqual({ id: 'key_1' });
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/v1/api-keys/a%2Fb' });
    expect(seen[0]?.headers.authorization).toBe('Bearer lt_test_x');
    expect(seen[0]?.headers['idempotency-key']).toBeUndefined();
  });

  it('refuses a route whose path is not filled before anything is sent', async () => {
    const { lintel, seen } = await serve((_, response) => json(response, 200, {}));
    await expect(lintel.request('GET /v1/api-keys/{id}', anyInput({ path: { id: '' } }))).rejects.toThrow('path.id');
    expect(seen).toHaveLength(0);
  });

  it('answers undefined for an empty body', async () => {
    const { lintel } = await serve((_, response) => response.writeHead(204).end());
    expect(await lintel.request('DELETE /v1/api-keys/{id}', anyInput({ path: { id: 'k' } }))).toBeUndefined();
  });

  it('groups operations by module and method', async () => {
    const { lintel, seen } = await serve((_, response) => json(response, 200, { data: [], nextCursor: null }));
    const grouped = lintel as unknown as Record<string, Record<string, (input?: unknown) => Promise<unknown>>>;
    const [first] = Object.values(grouped['auth'] ?? {});
    await first?.({ path: { id: 'x' } });
    expect(seen[0]?.url).toMatch(/^\/v1\//);
  });

  it('follows pages to the end', async () => {
    const { lintel, seen } = await serve((_, response, count) =>
      json(response, 200, count === 1 ? { data: [1, 2], nextCursor: 'c1' } : { data: [3], nextCursor: null }),
    );
    const found: unknown[] = [];
    for await (const item of lintel.pages('GET /v1/api-keys', anyInput({ query: { limit: 2 } }))) found.push(item);
    expect(found).toEqual([1, 2, 3]);
    expect(seen.map(({ url }) => url)).toEqual(['/v1/api-keys?limit=2', '/v1/api-keys?limit=2&cursor=c1']);
  });
});

describe('errors', () => {
  it('carries the problem of the answer', async () => {
    const problem = {
      type: 'https://lintel.dev/problems/invalid-input',
      title: 'The input is not valid.',
      status: 400,
      detail: '/name: is missing.',
      errors: [{ pointer: '/name', detail: 'is missing' }],
      requestId: 'req_1',
    };
    const { lintel } = await serve((_, response) => json(response, 400, problem));
    const error = await lintel.request('POST /v1/api-keys', anyInput({ body: {} })).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(LintelError);
    expect(error).toMatchObject({ status: 400, type: 'invalid-input', requestId: 'req_1', errors: problem.errors });
  });

  it('makes an error of an answer that is not JSON', async () => {
    const { lintel } = await serve((_, response) => response.writeHead(404, { 'x-request-id': 'req_9' }).end('<html>'));
    const error = await lintel.request('GET /v1/tenant').catch((cause: unknown) => cause);
    expect(error).toMatchObject({ status: 404, type: 'unknown', requestId: 'req_9' });
  });
});

describe('retries', () => {
  it('repeats a POST with the same Idempotency-Key and keeps Retry-After', async () => {
    const { baseUrl, seen } = await serve((_, response, count) => {
      if (count === 1) json(response, 429, {}, { 'retry-after': '7' });
      else if (count === 2) json(response, 502, {});
      else json(response, 201, {});
    });
    const waits: number[] = [];
    const response = await send(senderFor(baseUrl, waits), 'POST /v1/api-keys', { body: { name: 'a' } });
    expect(response.status).toBe(201);
    const keys = seen.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(waits[0]).toBe(7000);
    expect(waits).toHaveLength(2);
  });

  it('sends a key with a run in the background', async () => {
    const { baseUrl, seen } = await serve((_, response) => json(response, 202, {}));
    const parts = { path: { id: 'a' }, body: { input: 'x', mode: 'background' } };
    await send(senderFor(baseUrl, []), 'POST /v1/agents/{id}/runs', parts);
    expect(seen[0]?.headers['idempotency-key']).toBeDefined();
  });

  it('gives up after maxRetries', async () => {
    const { baseUrl, seen } = await serve((_, response) => json(response, 503, {}));
    await expect(send(senderFor(baseUrl, []), 'GET /v1/tenant', {})).rejects.toMatchObject({ status: 503 });
    expect(seen).toHaveLength(4);
  });

  it.each([
    ['a model call that failed upstream', 'POST /v1/chat/completions', 502, {}],
    ['a run that somebody waits for', 'POST /v1/agents/{id}/runs', 502, {}],
    ['a PATCH that failed upstream', 'PATCH /v1/tenant', 502, {}],
    ['a 500', 'GET /v1/tenant', 500, {}],
    ['what the server says not to repeat', 'GET /v1/tenant', 429, { 'x-should-retry': 'false' }],
    ['a wait of more than a minute', 'GET /v1/tenant', 429, { 'retry-after': '61' }],
  ])('does not repeat %s', async (_, route, status, headers) => {
    const { baseUrl, seen } = await serve((_seen, response) => json(response, status, {}, headers));
    await expect(
      send(senderFor(baseUrl, []), route, { path: { id: 'a' }, body: route.startsWith('GET') ? undefined : {} }),
    ).rejects.toMatchObject({
      status,
    });
    expect(seen).toHaveLength(1);
    if (route.startsWith('POST')) expect(seen[0]?.headers['idempotency-key']).toBeUndefined();
  });

  it('repeats a GET after a lost connection, and says network when it stays lost', async () => {
    const { baseUrl, seen } = await serve((_, response, count) => {
      if (count === 1) response.destroy();
      else json(response, 200, {});
    });
    expect((await send(senderFor(baseUrl, []), 'GET /v1/tenant', {})).status).toBe(200);
    expect(seen).toHaveLength(2);
    await expect(send(senderFor('http://127.0.0.1:1', []), 'GET /v1/tenant', {})).rejects.toMatchObject({
      status: 0,
      type: 'network',
    });
  });

  it('reads both forms of Retry-After', () => {
    expect(retryAfterMs('3')).toBe(3000);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT', Date.UTC(2026, 0, 1))).toBe(5000);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:05 GMT', Date.UTC(2026, 0, 2))).toBe(0);
    expect(retryAfterMs('soon')).toBeUndefined();
    expect(retryAfterMs(null)).toBeUndefined();
  });
});

describe('streams', () => {
  it('reads events cut anywhere, with CRLF, comments, several data lines and ids', async () => {
    const text =
      ': price 0.1\r\n\r\nid: 7\r\nevent: step\r\ndata: {"a":\r\ndata: "é"}\r\n\r\ndata: plain\r\n\r\ndata: unfinished';
    const { lintel } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const bytes = Buffer.from(text);
      let at = 0;
      const step = () => {
        if (at >= bytes.length) response.end();
        else response.write(bytes.subarray(at++, at), () => setImmediate(step));
      };
      step();
    });
    const events = [];
    for await (const event of lintel.events('GET /v1/runs/{id}/events', anyInput({ path: { id: 'run_1' } })))
      events.push(event);
    expect(events).toEqual([
      { event: 'comment', data: 'price 0.1', id: undefined },
      { event: 'step', data: '{"a":\n"é"}', id: '7' },
      { event: 'message', data: 'plain', id: '7' },
    ]);
  });

  it('streams a chat completion up to [DONE]', async () => {
    const { lintel, seen } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('data: {"n":1}\n\ndata: {"n":2}\n\n: lintel price=0\n\ndata: [DONE]\n\n');
    });
    const chunks = [];
    for await (const chunk of lintel.chat({ model: 'agent/a', messages: [] })) chunks.push(chunk);
    expect(chunks).toEqual([{ n: 1 }, { n: 2 }]);
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ stream: true });
  });

  it('follows topics across a lost connection with Last-Event-ID', async () => {
    const { lintel, seen } = await serve((_, response, count) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`id: ${count}\nevent: overview\ndata: ${count}\n\n`);
    });
    const stop = new AbortController();
    const found: string[] = [];
    for await (const event of lintel.follow(['overview', 'call'], { signal: stop.signal })) {
      found.push(event.data);
      if (found.length === 2) stop.abort();
    }
    expect(found).toEqual(['1', '2']);
    expect(seen[0]?.url).toBe('/v1/stream?topics=overview%2Ccall');
    expect(seen[1]?.headers['last-event-id']).toBe('1');
  });

  it('hears pings as signs of life, and connects again when a connection falls silent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const stop = new AbortController();
    try {
      let alive = 0;
      let lost = 0;
      const { lintel } = await serve((_, response, count) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(count === 1 ? ': ping\n\n' : 'event: overview\ndata: again\n\n');
      });
      const events = lintel.follow(['overview'], { signal: stop.signal, onLink: (isUp) => (isUp ? alive++ : lost++) });
      const first = events.next();
      // The connection stands, and its ping came; nothing else will.
      await vi.waitUntil(() => alive === 2);
      await vi.advanceTimersByTimeAsync(44_000);
      expect(alive).toBe(2);
      await vi.advanceTimersByTimeAsync(1_000);
      await vi.waitUntil(async () => {
        await vi.advanceTimersByTimeAsync(1_000);
        return alive > 2;
      });
      expect((await first).value).toMatchObject({ event: 'overview', data: 'again' });
      expect(lost).toBe(1);
    } finally {
      stop.abort();
      vi.useRealTimers();
    }
  });

  it('stops following when the credential is refused', async () => {
    const { lintel } = await serve((_, response) => json(response, 401, {}));
    await expect(lintel.follow(['overview']).next()).rejects.toMatchObject({ status: 401 });
  });
});
