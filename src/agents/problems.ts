import type { ProblemKind } from '#kernel/problem';

/** The module's error catalogue. */
export const agentProblems = {
  agentNotFound: {
    type: 'agent-not-found',
    status: 404,
    title: 'There is no such agent.',
    openai: { type: 'invalid_request_error', code: 'model_not_found' },
  },
  agentNotAllowed: {
    type: 'agent-not-allowed',
    status: 403,
    title: 'The key may not call this agent.',
    openai: { type: 'permission_error', code: 'permission_denied' },
  },
  nameTaken: { type: 'name-taken', status: 409, title: 'The name is in use.' },
  guardrail: {
    type: 'guardrail-reached',
    status: 422,
    title: 'The run reached one of its guardrails.',
    openai: { type: 'invalid_request_error', code: 'guardrail_reached' },
  },
  runFailed: {
    type: 'run-failed',
    status: 502,
    title: 'The run failed.',
    openai: { type: 'server_error', code: 'run_failed' },
  },
  runCancelled: {
    type: 'run-cancelled',
    status: 409,
    title: 'The run was cancelled.',
    openai: { type: 'invalid_request_error', code: 'run_cancelled' },
  },
  toolUnavailable: { type: 'tool-unavailable', status: 502, title: 'The tool source did not answer as expected.' },
} as const satisfies Record<string, ProblemKind>;
