import type { IncomingHttpHeaders } from 'node:http';
import { errors } from 'undici';

import { Problem } from '#kernel/problem';
import type { CallDraft } from './call-draft.ts';
import type { GatewayPorts, Target } from './ports.ts';
import { gatewayProblems } from './problems.ts';
import { Upstream, type UpstreamTimeouts } from './upstream.ts';

/** An upstream answer that goes to the client: 2xx, or an error of the caller's own making (4xx). */
export type Answered = { target: Target; upstream: Upstream; status: number; headers: IncomingHttpHeaders };

const maxAttempts = 3;
const maxWaitMs = 2_000;

/**
 * Sends a call to the first target that takes it. Tried again only where that is safe, before a byte has reached the client: no
 * connection, 408, 429, 5xx; each target's circuit breaker is asked and told. Throws the problem that describes the last
 * failure. `gone` tells that the client went away.
 */
export async function sendUpstream(
  ports: Pick<GatewayPorts, 'available' | 'attempted'>,
  draft: CallDraft,
  targets: readonly Target[],
  request: {
    path: 'chat/completions' | 'embeddings';
    body: (target: Target) => string;
    timeouts: UpstreamTimeouts;
    gone: AbortSignal;
  },
): Promise<Answered> {
  let last: Problem | undefined;
  let attempts = 0;
  for (const target of targets) {
    if (!ports.available(target)) {
      last ??= new Problem(gatewayProblems.upstreamFailed, {
        detail: `The provider "${target.provider}" failed repeatedly and is not tried at the moment.`,
        headers: { 'retry-after': '5' },
      });
      continue;
    }
    for (let tries = 0; tries < 2 && attempts < maxAttempts; tries++) {
      if (request.gone.aborted) throw new Problem(gatewayProblems.clientGone);
      attempts++;
      const started = performance.now();
      const upstream = new Upstream(
        target.dispatcher,
        {
          url: target.url(request.path),
          body: request.body(target),
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...target.headers(),
          },
        },
        request.timeouts,
      );
      const abort = () => upstream.abort(new Problem(gatewayProblems.clientGone));
      request.gone.addEventListener('abort', abort, { once: true });
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
        const failed = head.status === 408 || head.status === 429 || head.status >= 500;
        ports.attempted(target, !failed);
        if (head.status === 401 || head.status === 403) {
          upstream.abort(new Error('not needed'));
          throw new Problem(gatewayProblems.upstreamRefused, {
            detail: `The provider "${target.provider}" answered ${head.status}: its key must be renewed.`,
          });
        }
        if (!failed) return { target, upstream, ...head };
        upstream.abort(new Error('not needed'));
        const wait = retryAfterMs(head.headers);
        last =
          head.status === 429
            ? new Problem(gatewayProblems.upstreamBusy, {
                detail: `The provider "${target.provider}" limits its calls.`,
                headers: { 'retry-after': String(Math.ceil((wait ?? 1_000) / 1_000)) },
              })
            : new Problem(gatewayProblems.upstreamFailed, {
                detail: `The provider "${target.provider}" answered ${head.status}.`,
              });
        if (wait !== undefined && wait > maxWaitMs) break;
        await pause(wait ?? 50 * 2 ** tries, request.gone);
      } catch (error) {
        request.gone.removeEventListener('abort', abort);
        if (error instanceof Problem) throw error;
        note(codeOf(error));
        ports.attempted(target, false);
        last = failureOf(target, error);
        // The provider may be at work on it: sending it again could be paid twice.
        if (error instanceof errors.HeadersTimeoutError) break;
      }
    }
  }
  throw last ?? new Problem(gatewayProblems.upstreamFailed);
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

/** Milliseconds that Retry-After asks for (seconds, or an HTTP date). */
function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1_000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Temporal.Now.instant().epochMilliseconds);
}

function pause(ms: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    gone.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
