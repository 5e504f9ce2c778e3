import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Problem, problems } from '#kernel/problem';
import { answerWithEvents, goneSignal } from './sse-answer.ts';

let answer: (raw: ServerResponse) => Promise<void>;
let url: string;
const server = createServer((_request, raw) => void answer(raw).catch(() => undefined));

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.useRealTimers();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const events = (raw: ServerResponse, work: Parameters<typeof answerWithEvents>[2]) =>
  answerWithEvents({ raw, hijack: () => undefined as never }, 'req_1', work);

test('what goes wrong in the middle is told, and ends the stream', async () => {
  answer = (raw) =>
    events(raw, async (write) => {
      write('step', { seq: 0 }, 0);
      throw new Problem(problems.unavailable, { detail: 'The database is away.' });
    });
  const text = await (await fetch(url)).text();
  expect(text).toBe(
    'id: 0\nevent: step\ndata: {"seq":0}\n\n' +
      'event: error\ndata: {"code":"unavailable","detail":"The database is away."}\n\n',
  );
  answer = (raw) => events(raw, () => Promise.reject(new Error('a secret of the inside')));
  expect(await (await fetch(url)).text()).not.toContain('secret');
});

test('a stream in which nothing happens is kept open by pings', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const written: string[] = [];
  let end: () => void = () => undefined;
  answer = (raw) => {
    raw.write = new Proxy(raw.write, { apply: (_write, _raw, [text]) => written.push(String(text)) > 0 });
    return events(raw, () => new Promise((resolve) => (end = resolve)));
  };
  const whole = fetch(url).then((response) => response.text());
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  vi.advanceTimersByTime(31_000);
  expect(written).toEqual([': ping\n\n', ': ping\n\n']);
  end();
  await whole;
  expect(vi.getTimerCount()).toBe(0);
});

test('a client that had gone before anybody listened has gone', async () => {
  const found = Promise.withResolvers<boolean>();
  answer = async (raw) => {
    raw.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    found.resolve(goneSignal({ raw }).aborted);
  };
  await fetch(url).catch(() => undefined);
  expect(await found.promise).toBe(true);
});
