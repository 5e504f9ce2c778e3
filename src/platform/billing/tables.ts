import { table } from '#kernel/tables';

/** The tables of billing. */
export const tables = [
  table('plans', 'id version name currency demo is_default created_at', {
    home: 'platform',
    tenantRows: false,
    kept: 'for ever',
    erased: "not a tenant's",
  }),
  table('plan_versions', 'plan_id version prices recurring_fee created_at', {
    home: 'platform',
    tenantRows: false,
    kept: 'for ever',
    erased: "not a tenant's",
  }),
  table('subscriptions', 'tenant_id id plan_id plan_version from_at until_at created_at', {
    home: 'platform',
    tenantRows: true,
    kept: 'as long as the tenant',
    erased: 'deleted',
  }),
  table(
    'invoices',
    'tenant_id id number period_start period_end time_zone currency total lines counted demo finalised_at',
    {
      home: 'platform',
      tenantRows: true,
      kept: 'ten years (books of account); those of demo tenants as long as the tenant',
      erased: 'kept by law',
    },
  ),
];
