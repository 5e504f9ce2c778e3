import type { EventType } from '#kernel/module';

/** What tenancy publishes; the subject is the tenant. */
export const events: readonly EventType[] = [
  { type: 'tenancy.tenant.created', version: 1, description: 'A tenant was created. data.after: its settings.' },
  { type: 'tenancy.tenant.updated', version: 1, description: 'Name or settings changed. data.before, data.after.' },
  { type: 'tenancy.tenant.suspended', version: 1, description: 'All calls of the tenant are refused from now on.' },
  { type: 'tenancy.tenant.reactivated', version: 1, description: 'A suspended tenant may call again.' },
  {
    type: 'tenancy.tenant.deletion_scheduled',
    version: 1,
    description: 'The tenant is closed; its rows are erased after data.deleteAfter.',
  },
  {
    type: 'tenancy.tenant.deletion_cancelled',
    version: 1,
    description: 'The tenant is open again, nothing was erased.',
  },
  {
    type: 'tenancy.tenant.deleted',
    version: 1,
    description: "The tenant's rows were erased. data.erased: rows by table.",
  },
];
