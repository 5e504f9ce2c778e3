-- Which principals hold which roles. Roles are built in; their names are checked by the program.
CREATE TABLE grants (
  tenant_id uuid NOT NULL,
  principal_kind text NOT NULL CHECK (principal_kind IN ('user', 'key')),
  principal_id uuid NOT NULL,
  role text NOT NULL,
  granted_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, principal_kind, principal_id, role)
);
CREATE INDEX grants_principal ON grants (principal_id);
SELECT lintel_tenant_table('grants');
SELECT lintel_service_table('grants', 'snapshot_reader', 'SELECT');
