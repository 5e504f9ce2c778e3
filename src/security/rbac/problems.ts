import type { ProblemKind } from '#kernel/problem';

/** Problems of rbac. */
export const problems = {
  beyondOwnRights: {
    type: 'beyond-own-rights',
    status: 403,
    title: 'Nobody can give rights that they do not have.',
    openai: { type: 'permission_error', code: 'permission_denied' },
  },
} as const satisfies Record<string, ProblemKind>;
