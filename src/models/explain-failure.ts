import type { ProblemDetails, ProblemKind } from '#kernel/problem';

import { StreamCut } from './ask-provider.ts';
import { modelProblems } from './problems.ts';
import { type Failure, kindOfError, readRetryAfter } from './retry-policy.ts';
import type { Target } from './types.ts';

/** The provider's status behind an error of the AI SDK or of `fetch`. An answer that is not what was promised counts as the provider's 502. */
export function failureOf(error: unknown): Failure {
  const cause = error instanceof StreamCut ? error.cause : error;
  const { statusCode, responseHeaders } = (cause ?? {}) as {
    statusCode?: number;
    responseHeaders?: Record<string, string>;
  };
  if (typeof statusCode === 'number' && statusCode >= 400)
    return { status: statusCode, error, retryAfter: responseHeaders?.['retry-after'] ?? null };
  return kindOfError(error) === 'other' && isAnswerFault(error) ? { status: 502, error } : { error };
}

/** False for our own mistakes, which no other target would mend. */
export function isOfTheCall(error: unknown): boolean {
  const { name } = error as { name?: string };
  return kindOfError(error) !== 'other' || isAnswerFault(error) || name === 'EgressBlocked' || name === 'AbortError';
}

function isAnswerFault(error: unknown): boolean {
  return error instanceof StreamCut || (error instanceof Error && /^AI_/.test(error.name));
}

/** What the caller is told: faults of the platform's own account are not laid open, what the request did wrong is. */
export function explainFailure(
  failure: Failure,
  target: Pick<Target, 'id' | 'ownedBy' | 'apiKey'>,
  nowMs: number,
): { kind: ProblemKind; details: ProblemDetails } {
  const { status, error } = failure;
  const asked = readRetryAfter(failure.retryAfter, nowMs);
  const headers = asked === undefined ? {} : { headers: { 'retry-after': String(Math.ceil(asked / 1000)) } };
  const details = (detail: string): ProblemDetails => ({ detail, ...headers, cause: summaryOf(error) });
  if (status === 429)
    return {
      kind: modelProblems.upstreamRateLimited,
      details: details(`${target.id} is rate limited by its provider.`),
    };
  if (status === undefined) {
    const kind = kindOfError(error);
    if (kind === 'timeout')
      return { kind: modelProblems.upstreamTimeout, details: details(`${target.id} did not answer in time.`) };
    const why =
      (error as { name?: string }).name === 'EgressBlocked' ? (error as Error).message : 'could not be reached';
    return { kind: modelProblems.upstreamFailed, details: details(`${target.id}: ${why}.`) };
  }
  const account = status === 401 || status === 402 || status === 403 || status === 404;
  if (status >= 500 || status === 408 || (account && target.ownedBy === 'platform'))
    return { kind: modelProblems.upstreamFailed, details: details(`${target.id} answered ${status}.`) };
  const said = saidBy(error, target.apiKey());
  return {
    kind: modelProblems.upstreamRefused,
    details: details(`${target.id} answered ${status}${said === '' ? '' : `: ${said}`}`),
  };
}

/** The provider's own words, short, without its key. */
function saidBy(error: unknown, key: string | undefined): string {
  const text = error instanceof Error ? error.message : '';
  return (key === undefined ? text : text.replaceAll(key, '…')).replace(/\bsk-[\w*-]+/g, 'sk-…').slice(0, 500);
}

/** What the log may keep of an error: names and codes. The SDK's errors carry the request, that is what people wrote. */
function summaryOf(error: unknown): Error {
  const parts: string[] = [];
  for (let each: unknown = error, depth = 0; each instanceof Error && depth < 6; each = each.cause, depth++) {
    const { code } = each as { code?: unknown };
    parts.push(typeof code === 'string' ? `${each.name} ${code}` : each.name);
  }
  return new Error(parts.join(' < '));
}
