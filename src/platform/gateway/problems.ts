import type { ProblemKind } from '#kernel/problem';

/** What the gateway may answer beside the kernel's problems. */
export const gatewayProblems = {
  modelForm: {
    type: 'model-not-found',
    status: 404,
    title: 'There is no such model.',
    openai: { type: 'invalid_request_error', code: 'model_not_found' },
  },
  upstreamFailed: {
    type: 'upstream-failed',
    status: 502,
    title: 'The model provider failed.',
    openai: { type: 'server_error', code: 'upstream_failed' },
  },
  upstreamRefused: {
    type: 'upstream-refused',
    status: 502,
    title: "The model provider did not accept this platform's credential.",
    openai: { type: 'server_error', code: 'upstream_refused' },
  },
  upstreamBusy: {
    type: 'upstream-busy',
    status: 503,
    title: 'The model provider asks to wait.',
    openai: { type: 'server_error', code: 'upstream_busy' },
  },
  upstreamTimeout: {
    type: 'upstream-timeout',
    status: 504,
    title: 'The model provider did not answer in time.',
    openai: { type: 'server_error', code: 'upstream_timeout' },
  },
  clientGone: { type: 'client-gone', status: 499, title: 'The client went away.' },
} as const satisfies Record<string, ProblemKind>;
