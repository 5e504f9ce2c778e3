import type { ProblemKind } from '#kernel/problem';

/** Problems of metering. */
export const problems = {
  spoolFull: {
    type: 'spool-full',
    status: 503,
    title: 'The call cannot be recorded at the moment.',
    openai: { type: 'server_error', code: 'unavailable' },
  },
} as const satisfies Record<string, ProblemKind>;
