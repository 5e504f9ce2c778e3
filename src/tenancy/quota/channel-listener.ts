import type { Client } from 'pg';

import type { Connector } from '#kernel/database-connector';

const retryMs = 200;

/** Hears one notification channel on a connection of its own, which it makes again when it is lost. */
export class ChannelListener {
  readonly #connector: Connector;
  readonly #channel: string;
  readonly #hear: (payload: string) => void;
  #client: Client | undefined;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(connector: Connector, channel: string, hear: (payload: string) => void) {
    this.#connector = connector;
    this.#channel = channel;
    this.#hear = hear;
  }

  /** Resolves when it hears, or when the first attempt failed (it goes on trying). */
  start(): Promise<void> {
    return new Promise((tried) => {
      this.#running = this.#listen(tried);
    });
  }

  /** Ends the connection. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#client?.end().catch(() => undefined);
    await this.#running;
  }

  async #listen(tried: () => void): Promise<void> {
    while (!this.#stopped) {
      const client = this.#connector.open();
      this.#client = client;
      const gone = new Promise<void>((resolve) => {
        client.on('error', () => resolve());
        client.on('end', resolve);
      });
      try {
        await client.connect();
        client.on('notification', ({ payload = '' }) => this.#hear(payload));
        await client.query(`LISTEN ${this.#channel}`);
        tried();
        await gone;
      } catch {
        // It is heard again after the next attempt.
      } finally {
        tried();
        await client.end().catch(() => undefined);
      }
      if (!this.#stopped) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}
