import type { ServerResponse } from 'node:http';

import { type Belonging, isInReach, reachOf } from '#kernel/agent-reach';
import type { Principal } from '#kernel/http';

/** One message for live readers: its topic, whom it concerns, and for topics of the log its number. */
export type LiveMessage = {
  topic: string;
  /** Undefined: for operators alone. */
  tenantId: string | undefined;
  /** Whom it belongs to inside the tenant; absent: to no agent or key. */
  of?: Belonging;
  event: string;
  data: unknown;
  /** Log number; absent on topics that don't come from the log. */
  seq?: number;
};

/** A live reader: a browser or client that holds `/v1/stream` open. */
type Reader = {
  principal: Principal;
  topics: ReadonlySet<string>;
  platform: boolean;
  response: ServerResponse;
};

const pingMs = 15_000;
const recheckMs = 500;
const maxBacklogBytes = 1_048_576;
const chunkSize = 500;

/** The text of one server-sent event (WHATWG HTML §9.2). */
export function sseEvent(message: { event: string; data: unknown; id?: string | number }): string {
  const id = message.id === undefined ? '' : `id: ${message.id}\n`;
  return `${id}event: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`;
}

/** Opens an answer as an event stream. */
export function openSse(response: ServerResponse, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    connection: 'keep-alive',
    ...headers,
  });
  response.flushHeaders();
}

/**
 * Hands live messages to the readers they concern. Each reader is re-authorised twice a second and cut off when its credential or
 * right is gone; one that reads too slowly is cut off too (it resumes by Last-Event-ID). Sends in portions, so that ten thousand
 * readers don't hold up the loop.
 */
export class StreamHub {
  readonly #readers = new Set<Reader>();
  readonly #mayStay: (principal: Principal, topics: ReadonlySet<string>) => boolean;
  #timers: NodeJS.Timeout[] = [];

  constructor(deps: { mayStay: (principal: Principal, topics: ReadonlySet<string>) => boolean }) {
    this.#mayStay = deps.mayStay;
  }

  /** How many readers are held. */
  get size(): number {
    return this.#readers.size;
  }

  /** Whether anyone reads a topic: feeds that cost something run only then. */
  wanted(topic: string): boolean {
    for (const reader of this.#readers) if (reader.topics.has(topic)) return true;
    return false;
  }

  /** Begins pings and re-authorisation. */
  start(): void {
    this.#timers = [
      setInterval(() => this.#each((reader) => this.#write(reader, ': ping\n\n')), pingMs),
      setInterval(() => {
        this.#each((reader) => {
          if (!this.#mayStay(reader.principal, reader.topics)) {
            this.#write(reader, sseEvent({ event: 'closed', data: { reason: 'unauthenticated' } }));
            reader.response.end();
          }
        });
      }, recheckMs),
    ];
  }

  /** Ends every stream. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const reader of this.#readers) reader.response.end();
  }

  /** Holds a reader until its connection closes. The answer must be open already. */
  add(reader: {
    principal: Principal;
    topics: ReadonlySet<string>;
    platform: boolean;
    response: ServerResponse;
  }): void {
    this.#readers.add(reader);
    reader.response.once('close', () => this.#readers.delete(reader));
  }

  /** Sends a message to the readers of its topic that may see it. */
  publish(message: LiveMessage): void {
    if (this.#readers.size === 0) return;
    const text = sseEvent({
      event: message.event,
      data: message.data,
      ...(message.seq === undefined ? {} : { id: message.seq }),
    });
    this.#each((reader) => {
      if (reader.topics.has(message.topic) && concerns(message, reader)) this.#write(reader, text);
    });
  }

  #write(reader: Reader, text: string): void {
    if (reader.response.writableEnded || reader.response.destroyed) return;
    if (reader.response.writableLength > maxBacklogBytes) reader.response.destroy();
    else reader.response.write(text);
  }

  #each(act: (reader: Reader) => void): void {
    if (this.#readers.size <= chunkSize) {
      for (const reader of this.#readers) act(reader);
      return;
    }
    const all = [...this.#readers];
    const portion = (from: number) => {
      for (const reader of all.slice(from, from + chunkSize)) act(reader);
      if (from + chunkSize < all.length) setImmediate(portion, from + chunkSize);
    };
    portion(0);
  }
}

/** Whether a reader may see a message: its own tenant's, or as the platform's any; within the reach of its key. */
export function concerns(
  message: Pick<LiveMessage, 'tenantId' | 'of'>,
  reader: { platform: boolean; principal: Principal },
): boolean {
  if (message.of !== undefined && !isInReach(reachOf(reader.principal), message.of)) return false;
  return reader.platform || (message.tenantId !== undefined && message.tenantId === reader.principal.tenantId);
}
