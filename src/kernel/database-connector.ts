import type { Socket } from 'node:net';
import pg from 'pg';
import { parse } from 'pg-connection-string';

import { type Bind, bindMessage } from '#kernel/bind-message';
import { rowTypes } from '#kernel/database-rows';

/** How connections to the writable PostgreSQL are made. */
export type Connector = {
  /** A `pg.Client` class for pools: each `connect()` finds the writable host. */
  readonly client: typeof pg.Client;
  /** A single connection of its own, for LISTEN and advisory locks; not yet connected. */
  open(): pg.Client;
};

/** Splits `postgres://user:pw@a:1,b:2/db?…` into one address per host. `pg` itself takes no URL with several hosts. */
export function splitHosts(url: string): string[] {
  const match = /^(postgres(?:ql)?:\/\/(?:[^@/]*@)?)([^/?]*)(.*)$/.exec(url);
  if (match === null) throw new Error('not a PostgreSQL address');
  const [, head, hosts, tail] = match;
  return (hosts as string).split(',').map((host) => `${head}${host}${tail}`);
}

/** Connection settings of an address, of its first host when it names several. */
export function connectionSettings(url: string): pg.ClientConfig {
  return settingsOf(splitHosts(url)[0] as string);
}

/** Connection settings of one address; `sslmode` `require`, `verify-ca` and `verify-full` all verify the certificate. */
function settingsOf(address: string): pg.ClientConfig {
  const mode = /[?&]sslmode=([^&]*)/.exec(address)?.[1] ?? null;
  const parsed = parse(address.replace(/([?&])sslmode=[^&]*&?/, '$1').replace(/[?&]$/, ''));
  const root = parsed.ssl;
  return {
    host: parsed.host ?? 'localhost',
    port: parsed.port ? Number(parsed.port) : 5432,
    user: parsed.user,
    password: parsed.password,
    database: parsed.database ?? undefined,
    ...(mode === null || mode === 'disable' || mode === 'prefer' || mode === 'allow'
      ? {}
      : { ssl: { rejectUnauthorized: true, ...(typeof root === 'object' ? root : {}) } }),
  } as pg.ClientConfig;
}

/** How long a server is waited for at the end of a connection, milliseconds: a lost route would say nothing for a quarter of an hour. */
const farewellMs = 2_000;

/** Finds the writable server among the hosts of a URL at every connect; sessions speak UTC and end idle transactions. */
export function createConnector(url: string, applicationName: string): Connector {
  const all = splitHosts(url).map(settingsOf);
  let preferred = 0;
  const common = {
    types: rowTypes,
    application_name: applicationName,
    keepAlive: true,
    // Statements that do not wait for each other's answers are sent together.
    pipeline: true,
    connectionTimeoutMillis: 4_000,
    query_timeout: 60_000,
    // Outside of a transaction that has taken a role a session is the least of them: a BEGIN that fails opens nothing.
    options:
      '-c role=lintel_app -c timezone=UTC -c idle_in_transaction_session_timeout=60000 -c statement_timeout=55000',
  };
  const settings = (index: number): pg.ClientConfig => ({ ...all[index % all.length], ...common });

  class WritableClient extends pg.Client {
    readonly #first: number;

    constructor() {
      super(settings(preferred));
      this.#first = preferred;
      const { connection } = this as unknown as { connection: { stream: Socket; bind(config: Bind): void } };
      connection.bind = (config) => void (connection.stream.writable && connection.stream.write(bindMessage(config)));
      // Between two owners (just connected, handed out by the pool) nobody listens; a server that dies then must not end the process.
      this.on('error', () => undefined);
    }

    // biome-ignore lint/suspicious/noExplicitAny: pg's overloads take a callback or return a promise
    override connect(callback?: any): any {
      // pg leaves the promise of a connection open for ever that is ended while it is being made.
      const ended = new Promise<never>((_, reject) => {
        this.once('end', () => reject(new Error('Connection terminated')));
      });
      const attempt = Promise.race([super.connect(), ended])
        .then(async () => {
          if (all.length === 1) return;
          const { rows } = await this.query('SELECT pg_is_in_recovery() AS standby');
          if (rows[0]?.standby) {
            await this.end();
            throw new Error('no writable server at this host');
          }
        })
        .catch((error: unknown) => {
          // The pool asks again for a new client: the next one tries the next host.
          if (preferred === this.#first) preferred = (preferred + 1) % all.length;
          throw error;
        });
      if (callback === undefined) return attempt;
      attempt.then(() => callback(undefined, this), callback);
    }

    // biome-ignore lint/suspicious/noExplicitAny: pg's overloads take a callback or return a promise
    override end(callback?: any): any {
      const { stream } = (this as unknown as { connection: { stream: Socket } }).connection;
      const timer = setTimeout(() => stream.destroy(), farewellMs);
      const ended = super.end().finally(() => clearTimeout(timer));
      if (callback === undefined) return ended;
      void ended.then(() => callback());
    }
  }

  return { client: WritableClient, open: () => new WritableClient() };
}
