import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A tool server whose effects are counted: `POST /put?id=…` honours the Idempotency-Key header, `POST /send?id=…` does not. */
export type EffectDouble = {
  readonly url: string;
  readonly port: number;
  /** OpenAPI 3.1 of both operations. */
  readonly document: Record<string, unknown>;
  /** How often each thing happened: `put <id>` (once per key), `send <id>` (once per request). */
  readonly effects: ReadonlyMap<string, number>;
  /** Requests that came again with a key already seen, by operation. */
  readonly repeats: Readonly<Record<'put' | 'send', number>>;
  close(): Promise<void>;
};

/** Starts the double on a free loopback port; each request takes `ms` milliseconds, the effect happens first. */
export async function startEffectDouble(ms: number): Promise<EffectDouble> {
  const effects = new Map<string, number>();
  const keys = new Set<string>();
  const repeats = { put: 0, send: 0 };
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://localhost');
    const operation = url.pathname === '/put' ? 'put' : 'send';
    const key = `${operation} ${String(req.headers['idempotency-key'])}`;
    const seen = keys.has(key);
    keys.add(key);
    if (seen) repeats[operation]++;
    if (!seen || operation === 'send') {
      const effect = `${operation} ${url.searchParams.get('id')}`;
      effects.set(effect, (effects.get(effect) ?? 0) + 1);
    }
    req.resume();
    setTimeout(() => res.writeHead(200, { 'content-type': 'application/json' }).end('{"done":true}'), ms);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const operation = (operationId: string) => ({
    post: {
      operationId,
      parameters: [{ name: 'id', in: 'query', required: true, schema: { type: 'string' } }],
      responses: { 200: { description: 'done' } },
    },
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    document: {
      openapi: '3.1.0',
      info: { title: 'Ledger', version: '1' },
      servers: [{ url }],
      paths: { '/put': operation('put'), '/send': operation('send') },
    },
    effects,
    repeats,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
