import { type RateDecision, rateHeaders } from '#kernel/front-door';
import { formatId } from '#kernel/ids';
import { Problem, type ProblemKind } from '#kernel/problem';

import type { Limit } from './limits.ts';
import { shownAmount } from './shown-amount.ts';

/** Problems of limits. */
export const problems = {
  spent: {
    type: 'budget-spent',
    status: 402,
    title: 'The limit is spent.',
    openai: { type: 'insufficient_quota', code: 'insufficient_quota' },
  },
  reserved: {
    type: 'budget-reserved',
    status: 429,
    title: 'What remains of the limit is reserved by calls under way.',
    openai: { type: 'tokens', code: 'rate_limit_exceeded' },
  },
  concurrency: {
    type: 'concurrency-limited',
    status: 429,
    title: 'Too many calls at once.',
    openai: { type: 'requests', code: 'rate_limit_exceeded' },
  },
  rate: {
    type: 'rate-limited',
    status: 429,
    title: 'Too many requests.',
    openai: { type: 'requests', code: 'rate_limit_exceeded' },
  },
  leasesUnavailable: {
    type: 'limits-unavailable',
    status: 503,
    title: 'The limit cannot be asked at the moment.',
    openai: { type: 'server_error', code: 'unavailable' },
  },
  exists: { type: 'limit-exists', status: 409, title: 'There is a limit of this resource and window already.' },
  operatorsOnly: { type: 'limit-of-operators', status: 403, title: "The tenant's own limits are set by operators." },
} as const satisfies Record<string, ProblemKind>;

/** What a refusal says about the limit that stands in the way. */
export type LimitState = {
  limit: Limit;
  /** What is not used yet, in the limit's unit. */
  remaining: number;
  need: number;
  resetsAt: Temporal.Instant | null;
};

/** 402: retrying does not help before the window ends. */
export function spent(state: LimitState): Problem {
  const { limit, remaining, need } = state;
  const detail = `This call may use up to ${shownAmount(limit.resource, need)}; ${shownAmount(limit.resource, Math.max(0, remaining))} of the ${scopeName(limit)} limit of ${shownAmount(limit.resource, limit.amount)} per ${limit.window} is left.`;
  return new Problem(problems.spent, { detail, headers: { 'x-should-retry': 'false' }, extra: membersOf(state) });
}

/** 429: what stands in the way is reserved by calls under way and may come back. */
export function blocked(state: LimitState): Problem {
  const { limit } = state;
  const detail =
    limit.resource === 'concurrency'
      ? `All ${limit.amount} slots of the ${scopeName(limit)} limit are taken; try again in a moment.`
      : `What remains of the ${scopeName(limit)} limit of ${shownAmount(limit.resource, limit.amount)} per ${limit.window} is reserved by calls under way; try again in a moment.`;
  return new Problem(limit.resource === 'concurrency' ? problems.concurrency : problems.reserved, {
    detail,
    headers: { 'retry-after': '1' },
    extra: membersOf(state),
  });
}

/** 429: more requests per second than the limit; the next passes after `resetSeconds`, which count from `now`. */
export function tooFast(limit: Limit, rate: RateDecision, now: Temporal.Instant): Problem {
  const seconds = Math.max(1, Math.ceil(rate.resetSeconds));
  const resetsAt = now.add({ milliseconds: Math.ceil(rate.resetSeconds * 1000) });
  return new Problem(problems.rate, {
    detail: `The ${scopeName(limit)} limit of ${limit.amount} requests per second is reached; try again in ${seconds} s.`,
    headers: { 'retry-after': String(seconds), ...rateHeaders(rate) },
    extra: membersOf({ limit, remaining: rate.remaining, resetsAt }),
  });
}

/** 503: the limit is not leased here and the database cannot be asked. */
export function unavailable(limit: Limit): Problem {
  return new Problem(problems.leasesUnavailable, {
    detail: `The ${scopeName(limit)} limit cannot be asked while the database is away.`,
    headers: { 'retry-after': '2' },
    extra: { limit: formatId('limit', limit.id), scope: limit.scope, resource: limit.resource },
  });
}

function membersOf({ limit, remaining, resetsAt }: Omit<LimitState, 'need'>): Record<string, unknown> {
  return {
    limit: formatId('limit', limit.id),
    scope: limit.scope,
    resource: limit.resource,
    window: limit.window,
    remaining: shownAmount(limit.resource, Math.max(0, remaining)),
    resetsAt: resetsAt?.toString() ?? null,
  };
}

function scopeName(limit: Limit): string {
  return limit.scope === 'tenant' ? "tenant's" : limit.scope === 'key' ? "key's" : "agent's";
}
