import type { IncomingHttpHeaders } from 'node:http';
import { errors } from 'undici';

import { Problem } from '#kernel/problem';
import {
  type Failure,
  mayFallBack,
  readRetryAfter,
  retryDelayMs,
  safeToRetry,
  type Target,
  tripsCircuit,
} from '#models';
import type { CallDraft } from './call-draft.ts';
import type { GatewayPorts } from './ports.ts';
import { gatewayProblems } from './problems.ts';
import { Upstream, type UpstreamTimeouts } from './upstream.ts';

/** An upstream answer that goes to the client: 2xx, or an error of the caller's own making (4xx). */
export type Answered = { target: Target; upstream: Upstream; status: number; headers: IncomingHttpHeaders };

/** What is sent: the path below the provider's base URL, the body for each target, the time limits, and whether the client is gone. */
export type Sending = {
  path: 'chat/completions' | 'embeddings';
  body: (target: Target) => string;
  timeouts: UpstreamTimeouts;
  gone: AbortSignal;
};

/** Origin of targets that are no address: they are answered in this process. */
const inProcess = 'http://lintel';

/** An attempt that came to nothing: what is known of it, and the problem the client is told if no other attempt helps. */
type Failed = { failure: Failure; problem: Problem };

/**
 * Sends a call to the first target that takes it, before a byte has reached the client: tried again where that is safe, else the
 * next fallback; each target's circuit breaker is asked and told. Throws the problem of the last failure.
 */
export async function sendUpstream(
  ports: Pick<GatewayPorts, 'breakers' | 'dispatcher'>,
  draft: CallDraft,
  target: Target,
  sending: Sending,
): Promise<Answered> {
  let last: Failed | undefined;
  for (const next of [target, ...target.fallbacks]) {
    if (last !== undefined && !mayFallBack(last.failure, 0)) break;
    for (let tries = 1; ; tries++) {
      const result = await attempt(ports, draft, next, sending);
      if ('upstream' in result) return result;
      last = result;
      if (sending.gone.aborted) throw new Problem(gatewayProblems.clientGone);
      if (!safeToRetry(result.failure, 0)) break;
      const delay = retryDelayMs(result.failure, tries + 1, Temporal.Now.instant().epochMilliseconds, Math.random);
      if (delay === undefined || !ports.breakers.of(next).admits) break;
      await pause(delay, sending.gone);
    }
  }
  throw last?.problem ?? new Problem(gatewayProblems.upstreamFailed);
}

async function attempt(
  ports: Pick<GatewayPorts, 'breakers' | 'dispatcher'>,
  draft: CallDraft,
  target: Target,
  sending: Sending,
): Promise<Answered | Failed> {
  const { gone } = sending;
  const pass = ports.breakers.of(target).enter();
  if (pass === undefined) {
    const seconds = Math.ceil(ports.breakers.of(target).opensInMs / 1000);
    const problem = new Problem(gatewayProblems.upstreamFailed, {
      detail: `The provider "${target.provider}" failed repeatedly and is not tried at the moment.`,
      headers: { 'retry-after': String(Math.max(1, seconds)) },
    });
    return { failure: {}, problem };
  }
  const started = performance.now();
  const upstream = new Upstream(
    ports.dispatcher(target),
    {
      url: addressOf(`${target.baseUrl || inProcess}/${sending.path}`),
      body: sending.body(target),
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'accept-encoding': 'identity',
        ...target.headers(),
      },
    },
    sending.timeouts,
  );
  const abort = () => upstream.abort(new Problem(gatewayProblems.clientGone));
  if (gone.aborted) abort();
  gone.addEventListener('abort', abort, { once: true });
  const note = (status: number | string) =>
    draft.attempts.push({
      provider: target.provider,
      model: target.model,
      status,
      ms: Math.round(performance.now() - started),
    });
  try {
    const head = await upstream.head;
    note(head.status);
    const failure: Failure = { status: head.status, retryAfter: head.headers['retry-after'] ?? null };
    if (tripsCircuit(failure)) pass.fail();
    else if (head.status === 429) pass.abandon();
    else pass.succeed();
    const problem = problemOfStatus(target, failure) ?? problemOfEncoding(target, head.headers);
    if (problem === undefined && !(head.status >= 400 && mayFallBack(failure, 0) && target.fallbacks.length > 0))
      return { target, upstream, ...head };
    upstream.abort(new Error('the answer is not needed'));
    gone.removeEventListener('abort', abort);
    return {
      failure,
      problem:
        problem ??
        new Problem(gatewayProblems.upstreamFailed, {
          detail: `The provider "${target.provider}" answered ${head.status}.`,
        }),
    };
  } catch (error) {
    gone.removeEventListener('abort', abort);
    const failure: Failure = { error };
    if (gone.aborted || !tripsCircuit(failure)) pass.abandon();
    else pass.fail();
    note(gone.aborted ? 'client-gone' : codeOf(error));
    return { failure, problem: failureOf(target, error) };
  }
}

const addresses = new Map<string, URL>();

/** The address of a text, parsed once while it is in use. */
function addressOf(text: string): URL {
  let url = addresses.get(text);
  if (url === undefined) {
    if (addresses.size >= 1_000) addresses.clear();
    url = new URL(text);
    addresses.set(text, url);
  }
  return url;
}

/** The problem that an upstream status means for the caller; undefined where the provider's own answer is passed on. */
function problemOfStatus(target: Target, { status = 0, retryAfter }: Failure): Problem | undefined {
  if (status === 429) {
    const wait = readRetryAfter(retryAfter, Temporal.Now.instant().epochMilliseconds) ?? 1_000;
    return new Problem(gatewayProblems.upstreamBusy, {
      detail: `The provider "${target.provider}" limits its calls.`,
      headers: { 'retry-after': String(Math.max(1, Math.ceil(wait / 1000))) },
    });
  }
  if (status === 401 || status === 402 || status === 403) {
    return new Problem(gatewayProblems.upstreamRefused, {
      detail: `The provider "${target.provider}" answered ${status}: look at its key and account.`,
    });
  }
  if (status === 408 || status >= 500 || (status >= 300 && status < 400))
    return new Problem(gatewayProblems.upstreamFailed, {
      detail: `The provider "${target.provider}" answered ${status}.`,
    });
  return undefined;
}

/** Chunks are relayed and read as they come: nothing compressed was asked for. */
function problemOfEncoding(target: Target, headers: IncomingHttpHeaders): Problem | undefined {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return undefined;
  return new Problem(gatewayProblems.upstreamFailed, {
    detail: `The provider "${target.provider}" compressed its answer (${String(encoding).slice(0, 40)}), which it was asked not to.`,
  });
}

/** The problem for an error of the connection to a provider. */
export function failureOf(target: Target, error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    return new Problem(gatewayProblems.upstreamTimeout, {
      detail: `The provider "${target.provider}" did not answer in time.`,
      cause: error,
    });
  }
  return new Problem(gatewayProblems.upstreamFailed, {
    detail: `The connection to the provider "${target.provider}" failed (${codeOf(error)}).`,
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? (error as Error).name);
}

function pause(ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      gone.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    gone.addEventListener('abort', done, { once: true });
  });
}
