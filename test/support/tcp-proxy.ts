import { connect, createServer, type Server, type Socket } from 'node:net';

import { readServers } from '#kernel/database-address';

/** A TCP hop in front of a server that tests can cut, hang and restore. */
export type TcpProxy = {
  readonly port: number;
  /** Ends every connection and refuses new ones until {@link TcpProxy.restore}. */
  cut(): void;
  /** Keeps connections open but passes nothing on in either direction. */
  hang(): void;
  /** After {@link TcpProxy.hang}: new connections pass, those that hung stay dead but open. */
  passNew(): void;
  /**
   * Passes on what clients send, and ends each connection before an answer to something that matches comes back: the server did it,
   * the client never hears. At most `times` connections.
   */
  cutAnswersTo(pattern: RegExp, times: number): void;
  /** Passes everything on again. */
  restore(): void;
  /** How many connections were ended by {@link TcpProxy.cutAnswersTo}. */
  readonly answersCut: number;
  close(): Promise<void>;
};

/** Starts a proxy in front of the PostgreSQL of a URL (TCP or Unix socket); `url` is the way to the same database through it. */
export async function postgresProxy(url: string): Promise<{ proxy: TcpProxy; url: string }> {
  const [{ host, port }] = readServers(url);
  const proxy = await tcpProxy(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
  const through = url
    .replace(/^(postgres(?:ql)?:\/\/(?:[^@/]*@)?)[^/?]*/, `$1127.0.0.1:${proxy.port}`)
    .replace(/([?&])host=[^&]*&?/, '$1')
    .replace(/[?&]$/, '');
  return { proxy, url: through };
}

/** Starts a proxy on a free loopback port in front of `host:port` or a Unix socket. */
async function tcpProxy(target: { host: string; port: number } | { path: string }): Promise<TcpProxy> {
  const pairs = new Set<[Socket, Socket]>();
  const dead = new Set<[Socket, Socket]>();
  let state: 'open' | 'cut' | 'hang' = 'open';
  let answer: { pattern: RegExp; times: number } | undefined;
  let answersCut = 0;
  const server: Server = createServer((client) => {
    client.on('error', () => undefined);
    if (state === 'cut') {
      client.destroy();
      return;
    }
    const upstream = connect(target);
    upstream.on('error', () => undefined);
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    let doomed = false;
    if (state === 'hang') dead.add(pair);
    client.on('data', (data) => {
      if (dead.has(pair)) return;
      if (answer !== undefined && answer.times > 0 && answer.pattern.test(data.toString('latin1'))) {
        answer.times--;
        answersCut++;
        doomed = true;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (doomed) {
        client.destroy();
        upstream.destroy();
      } else if (!dead.has(pair)) client.write(data);
    });
    const end = () => {
      pairs.delete(pair);
      dead.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    client.on('close', end);
    upstream.on('close', end);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const destroyAll = () => {
    for (const [client, upstream] of pairs) {
      client.destroy();
      upstream.destroy();
    }
  };
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut: () => {
      state = 'cut';
      destroyAll();
    },
    hang: () => {
      state = 'hang';
      for (const pair of pairs) dead.add(pair);
    },
    passNew: () => {
      state = 'open';
    },
    cutAnswersTo: (pattern, times) => {
      answer = { pattern, times };
    },
    restore: () => {
      // What hung lost data: such connections cannot go on.
      for (const [client] of dead) client.destroy();
      dead.clear();
      state = 'open';
      answer = undefined;
    },
    get answersCut() {
      return answersCut;
    },
    close: () => {
      destroyAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
