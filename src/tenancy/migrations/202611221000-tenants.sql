-- Tenants: not a table of tenant rows but the list of tenants itself; the app role sees only its own row.
CREATE TABLE tenants (
  id uuid PRIMARY KEY,
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$'),
  name text NOT NULL,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleting', 'deleted')),
  locale text NOT NULL,
  time_zone text NOT NULL,
  currency text NOT NULL,
  demo boolean NOT NULL DEFAULT false,
  stale_grace_seconds integer CHECK (stale_grace_seconds BETWEEN 0 AND 3600),
  created_at timestamptz NOT NULL,
  delete_after timestamptz
);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON tenants TO lintel_owner USING (true) WITH CHECK (true);
CREATE POLICY tenant ON tenants TO lintel_app
  USING (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY platform ON tenants TO lintel_platform USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (name, locale, time_zone) ON tenants TO lintel_app;
GRANT SELECT, INSERT, UPDATE ON tenants TO lintel_platform;
SELECT lintel_service_table('tenants', 'snapshot_reader', 'SELECT');

-- Operators are users of this tenant.
INSERT INTO tenants (id, slug, name, locale, time_zone, currency, created_at)
VALUES ('00000000-0000-7000-8000-000000000001', 'platform', 'Platform', 'en', 'UTC', 'USD', '2026-11-22T10:00:00Z');
