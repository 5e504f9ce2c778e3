import type { Socket } from 'node:net';
import pg from 'pg';

import { type Bind, bindMessage } from '#kernel/bind-message';
import { readServers } from '#kernel/database-address';
import { rowTypes } from '#kernel/database-rows';

/** How connections to the writable PostgreSQL are made. */
export type Connector = {
  /** A `pg.Client` class for pools: each `connect()` finds the writable host. */
  readonly client: typeof pg.Client;
  /** A single connection of its own, for LISTEN and advisory locks; not yet connected. */
  open(): pg.Client;
};

/** How long a server may take to answer the first word, milliseconds. */
const connectMs = 4_000;

/** How long a server is waited for at the end of a connection, milliseconds: a lost route would say nothing for a quarter of an hour. */
const farewellMs = 2_000;

/** Finds the writable server among the hosts of a URL at every connect; sessions speak UTC and end idle transactions. */
export function createConnector(url: string, applicationName: string): Connector {
  const all = readServers(url);
  let preferred = 0;
  const common = {
    types: rowTypes,
    application_name: applicationName,
    keepAlive: true,
    // Statements that do not wait for each other's answers are sent together.
    pipeline: true,
    connectionTimeoutMillis: connectMs,
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
          if (await isWritable(this)) return;
          await this.end();
          throw new Error('no writable server at this host');
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

/**
 * One connection to the writable server of an address as its own account, without a role and without limits: for migrations and for
 * looking. Throws with what each server said when none can be written to.
 */
export async function connectPlainly(url: string): Promise<pg.Client> {
  const said: string[] = [];
  let cause: unknown;
  for (const server of readServers(url)) {
    const client = new pg.Client({ ...server, connectionTimeoutMillis: connectMs });
    client.on('error', () => undefined);
    try {
      await client.connect();
      if (await isWritable(client)) return client;
      cause = new Error('it is a standby, or read-only');
    } catch (error) {
      cause = error;
    }
    await client.end().catch(() => undefined);
    // Node says nothing but the code where a name has several addresses.
    const { message, code } = cause as Error & { code?: string };
    said.push(`${server.host}:${server.port}: ${message || code}`);
  }
  throw new Error(`No writable PostgreSQL can be reached: ${said.join('; ')}`, { cause });
}

/** Whether a server takes writes: a standby does not. */
async function isWritable(client: Pick<pg.Client, 'query'>): Promise<boolean> {
  const { rows } = await client.query("SELECT current_setting('transaction_read_only') = 'off' AS writable");
  return rows[0]?.writable === true;
}
