import type { ServerResponse } from 'node:http';

import { rateHeaders } from '#kernel/front-door';
import type { Context } from '#kernel/http';
import { openaiProblemBody, Problem } from '#kernel/problem';
import { toProblem } from '#kernel/server';
import { findUsage } from '#models';
import type { CallDraft, CallEnd, Outcome } from './call-draft.ts';
import type { Quantities } from './ports.ts';
import { gatewayProblems } from './problems.ts';
import { type Answered, failureOf } from './send-upstream.ts';
import { SseRelay } from './sse-relay.ts';

/** What relaying needs: the answer, how usage is read or estimated, and what to do when the call is over. */
export type Relay = {
  context: Context;
  draft: CallDraft;
  answered: Answered;
  read: {
    usage(usage: unknown): Quantities | undefined;
    estimate(outputBytes: number): Quantities;
    learn(bytes: number, tokens: number): void;
  };
  finish(outcome: Outcome): Promise<CallEnd>;
  gone: AbortSignal;
  keepUsage: boolean;
  maxBytes: number;
};

/** How long a provider may take to end its stream behind `[DONE]`, milliseconds. */
const lingerMs = 1_000;

/** Relays an answer that comes in one piece; it leaves after the call's row is durable. */
export async function relayPlain(relay: Relay): Promise<void> {
  const { context, draft, answered, read } = relay;
  const response = context.reply.raw;
  let body: Buffer;
  try {
    body = await answered.upstream.collect(relay.maxBytes);
    draft.firstByteMs = draft.elapsedMs;
  } catch (error) {
    const problem = relay.gone.aborted ? new Problem(gatewayProblems.clientGone) : failureOf(answered.target, error);
    await endWithProblem(relay, problem, {});
    return;
  }
  const ok = answered.status < 300;
  const parsed = parseObject(body);
  const told = ok ? read.usage(findUsage(parsed)) : undefined;
  if (ok && parsed === undefined) {
    await endWithProblem(
      relay,
      new Problem(gatewayProblems.upstreamFailed, {
        detail: `The provider "${answered.target.provider}" sent an answer that is not JSON.`,
      }),
      {},
    );
    return;
  }
  const quantities = told !== undefined ? { requests: 1, ...told } : ok ? read.estimate(body.length) : {};
  if (told?.['output_tokens'] !== undefined) read.learn(contentBytes(parsed), told['output_tokens']);
  let end: CallEnd;
  try {
    end = await relay.finish({
      quantities,
      estimated: ok && told === undefined,
      status: relay.gone.aborted ? 'cancelled' : ok ? 'ok' : 'failed',
      httpStatus: answered.status,
      error: ok ? null : { code: 'upstream_error', message: errorMessage(parsed) },
    });
  } catch (error) {
    writeProblem(response, context, toProblem(error));
    return;
  }
  response.writeHead(answered.status, {
    ...baseHeaders(context),
    'content-type': String(answered.headers['content-type'] ?? 'application/json'),
    'content-length': body.length,
    ...priceHeader(end),
  });
  response.end(body);
}

/** Relays a stream chunk by chunk; `[DONE]` leaves after the call's row is durable. */
export async function relayStream(relay: Relay): Promise<void> {
  const { context, draft, answered, read } = relay;
  const { upstream } = answered;
  const response = context.reply.raw;
  const sse = new SseRelay(relay.keepUsage, relay.maxBytes);
  response.writeHead(answered.status, {
    ...baseHeaders(context),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  response.on('drain', () => upstream.resume());
  let failure: unknown;
  const write = (out: Buffer) => {
    if (out.length > 0 && !response.destroyed && !response.write(out)) upstream.pause();
  };
  let done: () => void = () => undefined;
  const whole = new Promise<void>((resolve) => {
    done = resolve;
  });
  const ended = upstream.relay((chunk) => {
    draft.firstByteMs ??= draft.elapsedMs;
    try {
      write(sse.push(chunk));
    } catch (error) {
      upstream.abort(new Problem(gatewayProblems.upstreamFailed, { detail: (error as Error).message }));
    }
    if (sse.done) done();
  });
  try {
    await Promise.race([ended, whole]);
    write(sse.end());
  } catch (error) {
    failure = sse.done ? undefined : error;
  }
  if (sse.done) upstream.leave(lingerMs);
  const told = read.usage(sse.usage);
  const quantities = told === undefined ? read.estimate(sse.contentBytes) : { requests: 1, ...told };
  if (told?.['output_tokens'] !== undefined) read.learn(sse.contentBytes, told['output_tokens']);
  const outcome = { quantities, estimated: told === undefined, httpStatus: answered.status };
  if (relay.gone.aborted) {
    await relay
      .finish({
        ...outcome,
        status: 'cancelled',
        error: { code: 'client-gone', message: gatewayProblems.clientGone.title },
      })
      .catch((error: unknown) => lost(relay, error));
    return;
  }
  if (failure !== undefined || (!sse.done && told === undefined)) {
    await endWithProblem(
      relay,
      failure === undefined
        ? new Problem(gatewayProblems.upstreamFailed, {
            detail: `The provider "${answered.target.provider}" ended the stream early.`,
          })
        : failureOf(answered.target, failure),
      quantities,
      told === undefined,
    );
    return;
  }
  try {
    const end = await relay.finish({ ...outcome, status: 'ok', error: null });
    response.end(
      `${end.price === null ? '' : `: x-lintel-price ${end.price.amount} ${end.price.currency}\n\n`}data: [DONE]\n\n`,
    );
  } catch (error) {
    writeProblem(response, context, toProblem(error));
  }
}

/** Ends a call that failed after its provider took it: settles what was used, then tells the client. */
async function endWithProblem(
  relay: Relay,
  problem: Problem,
  quantities: Quantities,
  estimated = false,
): Promise<void> {
  try {
    await relay.finish({
      quantities,
      estimated,
      status: relay.gone.aborted ? 'cancelled' : 'failed',
      httpStatus: problem.kind.status,
      error: { code: problem.kind.type, message: problem.message },
    });
  } catch (error) {
    lost(relay, error);
  }
  writeProblem(relay.context.reply.raw, relay.context, problem);
}

/** Neither the database nor the spool took the row, and the client does not wait for it: all that is left is to say so. */
function lost(relay: Relay, error: unknown): void {
  relay.context.request.log.error({ err: error, requestId: relay.context.requestId }, 'a call was not recorded');
}

/** Answers with a problem: as the body, or as an error event where the stream has begun. */
function writeProblem(response: ServerResponse, context: Context, problem: Problem): void {
  const text = JSON.stringify(openaiProblemBody(problem, context.requestId));
  if (response.headersSent) {
    response.end(`data: ${text}\n\n`);
    return;
  }
  response.writeHead(problem.kind.status, {
    ...baseHeaders(context),
    ...problem.details.headers,
    'content-type': 'application/json; charset=utf-8',
  });
  response.end(text);
}

function baseHeaders(context: Context): Record<string, string> {
  const { rate } = context.request.admission;
  return { 'x-request-id': context.requestId, ...(rate === undefined ? {} : rateHeaders(rate)) };
}

function priceHeader(end: CallEnd): Record<string, string> {
  return end.price === null ? {} : { 'x-lintel-price': `${end.price.amount} ${end.price.currency}` };
}

function parseObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes of the texts and tool arguments in a plain answer. */
function contentBytes(answer: Record<string, unknown> | undefined): number {
  const choices = Array.isArray(answer?.['choices'])
    ? (answer['choices'] as { message?: { content?: unknown; tool_calls?: unknown } }[])
    : [];
  let bytes = 0;
  for (const { message } of choices) {
    if (typeof message?.content === 'string') bytes += Buffer.byteLength(message.content);
    if (message?.tool_calls !== undefined) bytes += Buffer.byteLength(JSON.stringify(message.tool_calls));
  }
  return bytes;
}

function errorMessage(answer: Record<string, unknown> | undefined): string {
  const message = (answer?.['error'] as { message?: unknown } | undefined)?.message;
  return typeof message === 'string' ? message.slice(0, 500) : 'The provider answered with an error.';
}
