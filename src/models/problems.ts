import type { ProblemKind } from '#kernel/problem';

/** What can go wrong between a caller and a model. */
export const modelProblems = {
  modelNotFound: {
    type: 'model-not-found',
    status: 404,
    title: 'There is no such model.',
    openai: { type: 'invalid_request_error', code: 'model_not_found' },
  },
  modelNotForTestKeys: {
    type: 'model-not-for-test-keys',
    status: 403,
    title: 'Test keys may use only models that the platform marks cheap.',
    openai: { type: 'permission_error', code: 'model_not_allowed' },
  },
  unpriced: {
    type: 'model-unpriced',
    status: 402,
    title: 'The model has no price, and a money limit applies.',
    openai: { type: 'insufficient_quota', code: 'model_unpriced' },
  },
  mediaUnbounded: {
    type: 'media-unbounded',
    status: 400,
    title: 'A limit applies, and what an image, audio or file part may use at this model is not known.',
    openai: { type: 'invalid_request_error', code: 'media_unbounded' },
  },
  nameTaken: { type: 'name-taken', status: 409, title: 'The name is in use.' },
  keyNeeded: { type: 'provider-key-needed', status: 400, title: 'The provider needs a key.' },
  upstreamFailed: {
    type: 'upstream-failed',
    status: 502,
    title: 'The model provider failed.',
    openai: { type: 'server_error', code: 'upstream_failed' },
  },
  upstreamTimeout: {
    type: 'upstream-timeout',
    status: 504,
    title: 'The model provider did not answer in time.',
    openai: { type: 'server_error', code: 'upstream_timeout' },
  },
  upstreamRateLimited: {
    type: 'upstream-rate-limited',
    status: 429,
    title: 'The model provider asks to slow down.',
    openai: { type: 'requests', code: 'rate_limit_exceeded' },
  },
  upstreamRefused: {
    type: 'upstream-refused',
    status: 400,
    title: 'The model provider refused the request.',
    openai: { type: 'invalid_request_error', code: 'upstream_refused' },
  },
} as const satisfies Record<string, ProblemKind>;
