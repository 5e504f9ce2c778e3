import type { ProblemKind } from '#kernel/problem';

/** Problems of billing. */
export const problems = {
  noPlan: { type: 'no-plan', status: 409, title: 'The tenant is on no plan.' },
} as const satisfies Record<string, ProblemKind>;
