import { type Table, table } from '#kernel/tables';

/** The kernel's own tables. */
export const kernelTables: readonly Table[] = [
  table('outbox', 'tenant_id id event', {
    home: 'platform',
    tenantRows: true,
    kept: 'until the relay has moved it',
    // Only the relay may take rows out; those of the last second go on to the log.
    erased: 'with retention',
    data: { event: 'personal' },
  }),
  table('log', 'at seq event', {
    home: 'platform',
    tenantRows: false,
    kept: '30 days',
    erased: 'with retention',
    data: { event: 'personal' },
  }),
  table('log_head', 'one seq epoch heartbeat', {
    home: 'platform',
    tenantRows: false,
    kept: 'always',
    erased: "not a tenant's",
  }),
  table('log_cursors', 'reader seq', { home: 'platform', tenantRows: false, kept: 'always', erased: "not a tenant's" }),
  table('nodes', 'id role host pid version spool started_at heartbeat_at snapshot_seq counters ended_at', {
    home: 'platform',
    tenantRows: false,
    kept: '7 days after the end',
    erased: "not a tenant's",
  }),
  table('installation', 'one id root_fingerprint', {
    home: 'platform',
    tenantRows: false,
    kept: 'always',
    erased: "not a tenant's",
  }),
  table('schema_migrations', 'name checksum applied_at', {
    home: 'platform',
    tenantRows: false,
    kept: 'always',
    erased: "not a tenant's",
  }),
  table('idempotency_keys', 'tenant_id principal key request_hash status answer created_at', {
    home: 'platform',
    tenantRows: true,
    kept: '24 hours',
    erased: 'deleted',
    data: { answer: 'content' },
  }),
];
