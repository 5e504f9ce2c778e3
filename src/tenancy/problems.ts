import type { ProblemKind } from '#kernel/problem';

/** Problems of tenancy. */
export const problems = {
  suspended: {
    type: 'tenant-suspended',
    status: 403,
    title: 'The tenant is suspended.',
    openai: { type: 'permission_error', code: 'tenant_suspended' },
  },
  deleted: {
    type: 'tenant-deleted',
    status: 403,
    title: 'The tenant is deleted.',
    openai: { type: 'permission_error', code: 'tenant_deleted' },
  },
  slugTaken: { type: 'slug-taken', status: 409, title: 'Another tenant has this slug.' },
  wrongState: { type: 'tenant-state', status: 409, title: "The tenant's state does not allow this." },
  reserved: { type: 'tenant-reserved', status: 409, title: 'The platform tenant is not changed this way.' },
} as const satisfies Record<string, ProblemKind>;
