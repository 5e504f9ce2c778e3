import { table } from '#kernel/tables';

/** The tables of tenancy. */
export const tables = [
  table(
    'tenants',
    'id slug name status locale time_zone currency demo stale_grace_seconds created_at delete_after erase_after erasing',
    {
      home: 'platform',
      tenantRows: false,
      kept: 'for ever (after erasure only its id and dates)',
      erased: "not a tenant's",
    },
  ),
];
