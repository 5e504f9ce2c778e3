import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { route } from '#kernel/http';
import { createLogger } from '#kernel/logger';
import { createServer } from '#kernel/server';

let app: FastifyInstance;
let url: string;
const lines: Record<string, unknown>[] = [];

beforeAll(async () => {
  const common = { area: 'public', permission: null, summary: 'A route of the test.' } as const;
  const answer = { 200: Type.Object({ ok: Type.Boolean() }) };
  app = await createServer({
    routes: [
      route({
        ...common,
        method: 'GET',
        path: '/v1/things/:id',
        operationId: 'test.getThing',
        schema: { params: Type.Object({ id: Type.String() }), response: answer },
        handle: () => ({ ok: true }),
      }),
      route({
        ...common,
        method: 'POST',
        path: '/v1/calls-of-the-test',
        operationId: 'test.call',
        call: 'chat',
        schema: { response: answer },
        handle: () => ({ ok: true }),
      }),
      route({
        ...common,
        method: 'DELETE',
        path: '/v1/things/:id',
        operationId: 'test.deleteThing',
        schema: { params: Type.Object({ id: Type.String() }), response: answer },
        handle: () => ({ ok: true }),
      }),
      route({
        ...common,
        method: 'POST',
        path: '/v1/things',
        operationId: 'test.createThing',
        schema: {
          body: Type.Object(
            { names: Type.Array(Type.String()), size: Type.Integer() },
            { additionalProperties: false },
          ),
          response: answer,
        },
        handle: () => ({ ok: true }),
      }),
    ],
    steps: { refused: () => undefined } as never,
    database: undefined as never,
    log: createLogger('info', {}, { write: (line) => lines.push(JSON.parse(line)) }),
    onAnswer: () => undefined,
    maxBodyBytes: 8_388_608,
    trustedProxies: [],
    version: '0',
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});
afterAll(() => app.close());

const post = (body: string, type = 'application/json') =>
  fetch(`${url}/v1/things`, { method: 'POST', headers: { 'content-type': type }, body });

/** Sends bytes as they are; what came back until the server closed the connection. */
function sendRaw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text));
    let said = '';
    socket.on('data', (data) => (said += data.toString()));
    socket.on('close', () => resolve(said));
    socket.on('error', reject);
  });
}

test('a known path answers 405 with what it takes, an unknown one 404; both as problems with the request id', async () => {
  for (const [method, path, allow] of [
    ['POST', '/v1/things/7', 'DELETE, GET, HEAD'],
    ['OPTIONS', '/v1/things/7?a=b', 'DELETE, GET, HEAD'],
    ['GET', '/v1/things', 'POST'],
  ] as const) {
    const response = await fetch(url + path, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    expect(await response.json()).toMatchObject({
      type: 'https://lintel.dev/problems/method-not-allowed',
      requestId: response.headers.get('x-request-id'),
    });
  }
  const unknown = await fetch(`${url}/v1/things/7/parts`);
  expect([unknown.status, unknown.headers.get('allow')]).toEqual([404, null]);
});

test('a query parameter that a route does not know is refused with its place, also where it takes none', async () => {
  const answer = await fetch(`${url}/v1/things/1?bogus=1`);
  expect([answer.status, await answer.json()]).toMatchObject([
    400,
    { errors: [{ pointer: '/query/bogus', detail: 'is not a member that is taken here' }] },
  ]);
});

test('a request that is no call leaves one line in the log, without what the client wrote; a call leaves none', async () => {
  lines.length = 0;
  const answer = await fetch(`${url}/v1/things/a-secret?token=another`);
  await fetch(`${url}/v1/calls-of-the-test`, { method: 'POST' });
  await fetch(`${url}/nowhere/a-secret`);
  const known = { operationId: 'test.getThing', method: 'GET', route: '/v1/things/:id', status: 400 };
  await expect.poll(() => lines).toHaveLength(2);
  expect(lines).toMatchObject([
    { ...known, level: 'info', msg: 'answered', requestId: answer.headers.get('x-request-id') },
    { operationId: 'other', route: 'other', status: 404 },
  ]);
  expect(JSON.stringify(lines)).not.toMatch(/a-secret|another/);
});

test('HEAD is answered where GET is public', async () => {
  const response = await fetch(`${url}/v1/things/7`, { method: 'HEAD' });
  expect([response.status, await response.text()]).toEqual([200, '']);
});

test('what cannot be read as a request is a problem with an id too', async () => {
  for (const path of ['/v1/things/%zz', `/v1/things/${'a'.repeat(300)}`]) {
    const response = await fetch(url + path);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 400, requestId: response.headers.get('x-request-id') });
  }
  for (const [text, status] of [
    ['GARBAGE\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: a\r\nX-Big: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const said = await sendRaw(text);
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const id = /x-request-id: (req_\w+)/.exec(said)?.[1];
    expect(JSON.parse(said.slice(said.indexOf('\r\n\r\n')))).toMatchObject({ status, requestId: id });
  }
});

test('a body is JSON or 415', async () => {
  expect((await post('x', 'text/plain')).status).toBe(415);
  expect((await post('{"names":', 'application/json')).status).toBe(400);
});

test('every fault of a small body is told, of a huge one the first, without a second of work', async () => {
  const small = await post('{"names":[1,"a",2],"extra":1}');
  expect(
    ((await small.json()) as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer).sort(),
  ).toEqual(['/extra', '/names/0', '/names/2', '/size']);
  const huge = await post(`{"size":1,"names":[${'1,'.repeat(3_000_000)}1]}`);
  expect(huge.status).toBe(400);
  expect(((await huge.json()) as { errors: unknown[] }).errors).toHaveLength(1);
});
