import type { FastifyReply } from 'fastify';

import { toProblem } from '#kernel/server';
import { openSse, sseEvent } from '#kernel/stream';

/** Often enough for proxies that cut what is silent, and to find out that a client is gone without a word. */
const pingMs = 15_000;

/** Writes one event to the client. */
export type WriteEvent = (event: string, data: unknown, id?: number) => void;

/**
 * Answers with server-sent events until `work` is done. `gone` aborts when the client goes. What `work` throws ends the stream with an
 * event `error`, and is thrown on for the log: an answer under way can have no other status.
 */
export async function answerWithEvents(
  reply: Pick<FastifyReply, 'raw' | 'hijack'>,
  requestId: string,
  work: (write: WriteEvent, gone: AbortSignal) => Promise<void>,
): Promise<void> {
  const { raw } = reply;
  const gone = goneSignal(reply);
  const write: WriteEvent = (event, data, id) =>
    void raw.write(sseEvent({ event, data, ...(id === undefined ? {} : { id }) }));
  reply.hijack();
  openSse(raw, { 'x-request-id': requestId });
  const ping = setInterval(() => raw.write(': ping\n\n'), pingMs);
  try {
    await work(write, gone);
  } catch (error) {
    const { kind, message, details } = toProblem(error);
    write('error', { code: kind.type, detail: message, ...details.extra });
    throw error;
  } finally {
    clearInterval(ping);
    raw.end();
  }
}

/** Aborts when the client goes before its answer is whole. */
export function goneSignal({ raw }: Pick<FastifyReply, 'raw'>): AbortSignal {
  const controller = new AbortController();
  // It may have gone before anybody listened.
  if (raw.destroyed) controller.abort();
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
