import { table } from '#kernel/tables';

const tenants = { home: 'platform', tenantRows: true, erased: 'deleted' } as const;

/** The tables of quota. */
export const tables = [
  table('limits', 'tenant_id id scope scope_id resource window_unit amount burst enabled created_at updated_at', {
    ...tenants,
    kept: 'until deleted',
  }),
  table('leases', 'tenant_id limit_id window_start holder_id window_end granted used', {
    ...tenants,
    kept: '40 days after the window',
  }),
  table('rate_buckets', 'tenant_id limit_id level at', { ...tenants, kept: 'one day after the last request' }),
  table('rate_demands', 'tenant_id limit_id holder_id demand at', {
    ...tenants,
    kept: 'one day after the last request',
  }),
  table('lease_holders', 'holder_id node_id expires_at ended', {
    home: 'platform',
    tenantRows: false,
    kept: 'as long as its leases',
    erased: "not a tenant's",
  }),
];
