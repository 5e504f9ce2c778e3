import { table } from '#kernel/tables';

/** The tables of rbac. */
export const tables = [
  table('grants', 'tenant_id principal_kind principal_id role granted_at', {
    home: 'platform',
    tenantRows: true,
    kept: 'as long as the principal',
    erased: 'deleted',
  }),
];
