import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

import { MockAgent } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { createEgress, type Egress, type EgressDeps } from '#kernel/egress';
import type { AllowRule } from '#kernel/egress-address';
import { fetchGuarded } from '#kernel/egress-fetch';
import { EgressBlocked } from '#kernel/egress-url';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface Target {
  port: number;
  url: string;
  /** Requests seen: `METHOD path`, with headers and body. */
  seen: { line: string; headers: IncomingMessage['headers']; body: string }[];
  connections: number;
}

async function serve(
  answer: (req: IncomingMessage, res: ServerResponse) => void,
  host = '127.0.0.1',
  port = 0,
): Promise<Target> {
  const target: Target = { port: 0, url: '', seen: [], connections: 0 };
  const server: Server = createServer(async (req, res) => {
    let body = '';
    for await (const part of req) body += part;
    target.seen.push({ line: `${req.method} ${req.url}`, headers: req.headers, body });
    answer(req, res);
  });
  server.on('connection', () => {
    target.connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  open.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  target.port = (server.address() as AddressInfo).port;
  target.url = `http://${host}:${target.port}`;
  return target;
}

const hello = (_req: IncomingMessage, res: ServerResponse) => void res.end('hello');
const redirect =
  (location: string, status = 302) =>
  (_req: IncomingMessage, res: ServerResponse) =>
    void res.writeHead(status, { location }).end('moved');
const toAll = (...targets: Target[]): AllowRule[] =>
  targets.map((t) => ({ tenantId: null, target: `127.0.0.1:${t.port}` }));

function egress(
  allow: readonly AllowRule[] | (() => readonly AllowRule[]),
  more: Partial<EgressDeps> = {},
): Egress & { logged: unknown[] } {
  const logged: unknown[] = [];
  const log = { warn: (entry: unknown) => void logged.push(entry) } as unknown as EgressDeps['log'];
  const made = createEgress({ allow: typeof allow === 'function' ? allow : () => allow, log, ...more });
  open.unshift(() => made.close());
  return { ...made, logged };
}

/** A resolver that knows these names only. */
const names = (table: Record<string, string[]>) =>
  vi.fn(async (host: string) => {
    const found = table[host];
    if (!found) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
    return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  });

const blocked = (reason: string) => expect.objectContaining({ name: 'EgressBlocked', reason });

describe('what may be reached', () => {
  it.each([
    'http://127.0.0.1',
    'http://0177.0.0.1',
    'http://2130706433',
    'http://0x7f.1',
    'http://127.1',
    'http://127.0.0.1.',
    'http://①②⑦.0.0.1',
    'http://[::1]',
    'http://[::ffff:7f00:1]',
    'http://[64:ff9b::7f00:1]',
    'http://0',
    'http://169.254.169.254',
    'https://10.0.0.1',
  ])('refuses %s without sending anything', async (base) => {
    const target = await serve(hello);
    const out = egress([]);
    const url = base.startsWith('https') ? base : `${base.replace(/\/$/, '')}:${target.port}/`;
    await expect(out.fetch('t1')(url)).rejects.toEqual(blocked('address'));
    await expect(out.request('t1', url)).rejects.toEqual(blocked('address'));
    await expect(
      out.dispatcher('t1').request({ origin: new URL(url).origin, path: '/', method: 'GET' }),
    ).rejects.toEqual(blocked('address'));
    await expect(out.check('t1', url)).rejects.toEqual(blocked('address'));
    expect(target.connections).toBe(0);
  });

  it('refuses other schemes, credentials and what is no URL', async () => {
    const out = egress([]);
    for (const url of ['file:///etc/passwd', 'ftp://example.com', 'data:text/plain,x', 'javascript:1', 'gopher://x']) {
      await expect(out.fetch(null)(url)).rejects.toEqual(blocked('scheme'));
    }
    await expect(out.fetch(null)('http://user:secret@example.com')).rejects.toEqual(blocked('credentials'));
    await expect(out.fetch(null)('/relative')).rejects.toEqual(blocked('url'));
    const dispatched = out.dispatcher(null).request({ origin: 'http://user@example.com', path: '/', method: 'GET' });
    await expect(dispatched).rejects.toEqual(blocked('credentials'));
    expect(JSON.stringify(out.logged)).not.toContain('secret');
  });

  it('tells the tenant why, and only the log which address', async () => {
    const out = egress([], { lookup: names({ 'inside.test': ['10.1.2.3'] }) });
    const error: unknown = await out
      .fetch('t1')('http://inside.test:8080/x?token=abc')
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(EgressBlocked);
    expect((error as Error).message).toContain('inside.test:8080 may not be reached');
    expect((error as Error).message).toContain('private');
    expect((error as Error).message).not.toContain('10.1.2.3');
    expect(out.logged).toEqual([{ tenantId: 't1', reason: 'address', host: 'inside.test:8080', address: '10.1.2.3' }]);
  });

  it('reaches what the operator allowed, by address, name and network, at that port only', async () => {
    const [target, other] = [await serve(hello), await serve(hello)];
    const lookup = names({ 'app.test': ['127.0.0.1'] });
    for (const rule of [`127.0.0.1:${target.port}`, `127.0.0.0/8:${target.port}`, `app.test:${target.port}`]) {
      const out = egress([{ tenantId: null, target: rule }], { lookup });
      expect((await out.request('t1', `http://app.test:${target.port}`)).body.toString()).toBe('hello');
      await expect(out.request('t1', `http://app.test:${other.port}`)).rejects.toEqual(blocked('address'));
    }
    const byName = egress([{ tenantId: null, target: `app.test:${target.port}` }], { lookup });
    await expect(byName.request('t1', target.url)).rejects.toEqual(blocked('address'));
    expect(other.seen).toEqual([]);
  });

  it('connects, of several addresses of a name, only to those that pass', async () => {
    const target = await serve(hello);
    const forbidden = await serve(hello, '127.0.0.2', target.port);
    const out = egress(toAll(target), { lookup: names({ 'both.test': ['127.0.0.2', '127.0.0.1'] }) });
    expect((await out.request('t1', `http://both.test:${target.port}`)).status).toBe(200);
    expect([forbidden.connections, target.connections, out.logged.length]).toEqual([0, 1, 0]);
  });

  it('lets public addresses pass the check', async () => {
    const lookup = names({
      'public.test': ['93.184.216.34', '2606:2800:220:1::1'],
      'mixed.test': ['10.0.0.1', '93.184.216.34'],
    });
    const out = egress([], { lookup });
    for (const url of ['http://public.test', 'https://mixed.test', 'https://8.8.8.8', 'http://[2606:4700::1]:81']) {
      await out.check('t1', url);
    }
    await expect(out.check('t1', 'http://unknown.test')).rejects.toThrow('ENOTFOUND');
    await expect(out.request('t1', 'http://unknown.test')).rejects.toMatchObject({ cause: { code: 'ENOTFOUND' } });
  });

  it('connects to the very address it checked: a name that changes meanwhile gains nothing', async () => {
    const target = await serve(hello);
    const answers = [['127.0.0.1'], ['10.0.0.1']];
    const lookup = vi.fn(async () => (answers.shift() ?? []).map((address) => ({ address, family: 4 })));
    const out = egress(toAll(target), { lookup });
    expect((await out.request('t1', `http://rebind.test:${target.port}/a`)).status).toBe(200);
    expect(lookup).toHaveBeenCalledTimes(1);
    expect(target.seen[0]?.headers.host).toBe(`rebind.test:${target.port}`);
  });

  it('ignores a rule it cannot read, and says so', async () => {
    const target = await serve(hello);
    const out = egress([{ tenantId: null, target: 'everything' }, ...toAll(target)]);
    expect((await out.request(null, target.url)).status).toBe(200);
    expect(out.logged).toHaveLength(1);
  });
});

describe('tenants apart', () => {
  it('does not serve a tenant by a connection that another was allowed', async () => {
    const target = await serve(hello);
    const out = egress([{ tenantId: 't1', target: `127.0.0.1:${target.port}` }]);
    await out.request('t1', target.url);
    await out.request('t1', target.url);
    const held = target.connections;
    for (const tenant of ['t2', null]) {
      await expect(out.request(tenant, target.url)).rejects.toEqual(blocked('address'));
      await expect(out.dispatcher(tenant).request({ origin: target.url, path: '/', method: 'GET' })).rejects.toEqual(
        blocked('address'),
      );
    }
    expect(target.seen).toHaveLength(2);
    expect(target.connections).toBe(held);
  });

  it('shares connections among tenants that may reach the same', async () => {
    const target = await serve(hello);
    const out = egress(toAll(target));
    for (let i = 0; i < 10; i++) await out.request(['t1', 't2', null][i % 3] ?? null, target.url);
    // Undici opens a second one when the first has only just been freed.
    expect(target.connections).toBeLessThanOrEqual(2);
  });

  it('takes back what a removed rule allowed, open connections and held functions too', async () => {
    const target = await serve(hello);
    let rules: AllowRule[] = [{ tenantId: 't1', target: `127.0.0.1:${target.port}` }];
    const out = egress(() => rules);
    const [held, dispatcher] = [out.fetch('t1'), out.dispatcher('t1')];
    await (await held(target.url)).text();
    rules = [];
    await expect(held(target.url)).rejects.toEqual(blocked('address'));
    await expect(dispatcher.request({ origin: target.url, path: '/', method: 'GET' })).rejects.toEqual(
      blocked('address'),
    );
    const before = target.connections;
    rules = toAll(target);
    expect((await held(target.url)).status).toBe(200);
    expect(target.connections).toBe(before + 1);
  });
});

describe('redirects', () => {
  it('checks each hop', async () => {
    const inner = await serve(hello);
    const outer = await serve(redirect(`${inner.url}/secret`));
    const out = egress(toAll(outer));
    await expect(out.request('t1', outer.url)).rejects.toEqual(blocked('address'));
    expect(inner.connections).toBe(0);
    for (const [location, reason] of [
      ['file:///etc/passwd', 'scheme'],
      ['http://u:p@127.0.0.1/', 'credentials'],
      ['http://[', 'redirect'],
    ] as const) {
      const bad = await serve(redirect(location));
      await expect(egress(toAll(bad)).request('t1', bad.url)).rejects.toEqual(blocked(reason));
    }
  });

  it('follows so many and no more', async () => {
    const target: Target = await serve((req, res) => {
      const n = Number(req.url?.slice(1));
      if (n === 0) res.end('there');
      else res.writeHead(302, { location: `/${n - 1}` }).end();
    });
    const out = egress(toAll(target));
    const answer = await out.request('t1', `${target.url}/5`);
    expect([answer.body.toString(), answer.url]).toEqual(['there', `${target.url}/0`]);
    await expect(out.request('t1', `${target.url}/6`)).rejects.toEqual(blocked('redirect'));
    await expect(out.request('t1', `${target.url}/1`, { maxRedirects: 0 })).rejects.toEqual(blocked('redirect'));
    await expect(out.fetch('t1')(`${target.url}/1`, { redirect: 'error' })).rejects.toEqual(blocked('redirect'));
    expect((await out.fetch('t1')(`${target.url}/1`, { redirect: 'manual' })).status).toBe(302);
  });

  it('leaves credentials, under whatever name, behind at another origin', async () => {
    const inner = await serve(hello);
    const outer = await serve((req, res) =>
      redirect(req.url === '/away' ? `${inner.url}/` : '/here', req.url === '/here' ? 200 : 307)(req, res),
    );
    const out = egress(toAll(inner, outer));
    const headers = { authorization: 'Bearer x', cookie: 'a=b', 'x-api-key': 'k', accept: 'text/x' };
    await out.request('t1', `${outer.url}/away`, { headers });
    await out.request('t1', `${outer.url}/same`, { headers });
    const [away] = inner.seen;
    expect(away?.headers.accept).toBe('text/x');
    for (const name of ['authorization', 'cookie', 'x-api-key']) expect(away?.headers[name]).toBeUndefined();
    expect(outer.seen.at(-1)).toMatchObject({ line: 'GET /here', headers });
  });

  it.each([
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [302, 'PUT', 'PUT', '{"a":1}'],
    [303, 'PUT', 'GET', ''],
    [307, 'POST', 'POST', '{"a":1}'],
    [308, 'PATCH', 'PATCH', '{"a":1}'],
  ])('%d after %s goes on as %s', async (status, method, next, body) => {
    const target: Target = await serve((req, res) => (req.url === '/end' ? hello : redirect('/end', status))(req, res));
    await egress(toAll(target)).request('t1', target.url, {
      method,
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    });
    expect(target.seen.at(-1)).toMatchObject({ line: `${next} /end`, body });
    expect(target.seen.at(-1)?.headers['content-type']).toBe(body === '' ? undefined : 'application/json');
  });

  it('goes from http to https, never back', async () => {
    const agent = new MockAgent();
    agent.disableNetConnect();
    const site = (origin: string) => agent.get(origin);
    site('http://site.test')
      .intercept({ path: '/up' })
      .reply(301, '', { headers: { location: 'https://site.test/down' } });
    site('https://site.test')
      .intercept({ path: '/down' })
      .reply(301, '', { headers: { location: 'http://site.test/end' } });
    site('http://site.test').intercept({ path: '/end' }).reply(200, 'end');
    const sent = fetchGuarded(agent, 'http://site.test/up', undefined, {});
    await expect(sent).rejects.toEqual(blocked('redirect'));
    expect(agent.pendingInterceptors().map((i) => i.path)).toEqual(['/end']);
    await agent.close();
  });

  it('cannot send a streamed body twice', async () => {
    const target = await serve(redirect('/again', 307));
    const body = new Blob(['once']).stream();
    const sent = egress(toAll(target)).fetch('t1')(target.url, { method: 'POST', body, duplex: 'half' });
    await expect(sent).rejects.toEqual(blocked('redirect'));
    expect(target.seen.map((s) => s.body)).toEqual(['once']);
  });
});

describe('limits', () => {
  it('caps what is read, counted after decompression', async () => {
    const target = await serve((req, res) => {
      if (req.url === '/zip') res.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1_000_000)));
      else res.end('x'.repeat(1000));
    });
    const out = egress(toAll(target));
    expect((await out.request('t1', target.url, { maxBytes: 1000 })).body.length).toBe(1000);
    await expect(out.request('t1', target.url, { maxBytes: 999 })).rejects.toEqual(blocked('size'));
    await expect(out.request('t1', `${target.url}/zip`, { maxBytes: 10_000 })).rejects.toEqual(blocked('size'));
    await expect((await out.fetch('t1', { maxBytes: 999 })(target.url)).text()).rejects.toEqual(blocked('size'));
    expect(out.logged).toHaveLength(2);
  });

  it('gives up on servers that do not resolve, answer or go on', async () => {
    const target = await serve((req, res) => {
      if (req.url === '/part') res.write('some');
    });
    const never = egress(toAll(target), { connectMs: 50, lookup: () => new Promise(() => {}) });
    await expect(never.request('t1', 'http://slow.test')).rejects.toMatchObject({
      cause: { code: 'UND_ERR_CONNECT_TIMEOUT' },
    });
    const out = egress(toAll(target));
    await expect(out.request('t1', target.url, { headersMs: 50 })).rejects.toMatchObject({
      cause: { code: 'UND_ERR_HEADERS_TIMEOUT' },
    });
    await expect(out.request('t1', `${target.url}/part`, { bodyMs: 50 })).rejects.toMatchObject({
      cause: { code: 'UND_ERR_BODY_TIMEOUT' },
    });
    await expect(out.request('t1', target.url, { timeoutMs: 50 })).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect(out.request('t1', `${target.url}/part`, { timeoutMs: 50 })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await expect(out.request('t1', target.url, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
      'stop',
    );
  });

  it('streams, and stops the server when the reader stops', async () => {
    let gone = false;
    const target = await serve((_req, res) => {
      res.write('data: 1\n\n');
      res.on('close', () => {
        gone = true;
      });
    });
    const response = await egress(toAll(target)).fetch('t1')(target.url);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: 1\n\n');
    await reader.cancel();
    await vi.waitFor(() => expect(gone).toBe(true));
  });
});

it('passes requests as they are: method, headers, body, a Request object', async () => {
  const target = await serve((_req, res) => void res.writeHead(418, { 'x-a': 'b' }).end());
  const out = egress(toAll(target));
  const request = new Request(`${target.url}/r`, { method: 'PUT', headers: { 'x-b': 'c' }, body: 'text' });
  const response = await out.fetch('t1')(request);
  expect([response.status, response.headers.get('x-a'), response.url]).toEqual([418, 'b', `${target.url}/r`]);
  expect(target.seen[0]).toMatchObject({ line: 'PUT /r', headers: { 'x-b': 'c' }, body: 'text' });
  await out.request('t1', target.url, { method: 'post', body: new Uint8Array([104, 105]) });
  expect(target.seen[1]).toMatchObject({ line: 'POST /', body: 'hi' });
});
