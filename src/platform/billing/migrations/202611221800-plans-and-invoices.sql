-- Plans belong to the platform. A version of a plan never changes: a change makes a new one.
CREATE TABLE plans (
  id uuid PRIMARY KEY,
  -- The newest version: what new subscriptions get.
  version integer NOT NULL,
  name text NOT NULL,
  currency text NOT NULL,
  demo boolean NOT NULL,
  -- The plan that new tenants of its currency get: demo tenants that of the demo plans.
  is_default boolean NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX plans_default ON plans (currency, demo) WHERE is_default;

CREATE TABLE plan_versions (
  plan_id uuid NOT NULL REFERENCES plans (id),
  version integer NOT NULL,
  -- [{id, meter, where, groupBy, price}]
  prices jsonb NOT NULL,
  -- Per month.
  recurring_fee numeric(38,12),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (plan_id, version)
);

-- What a tenant is on, from when until when: the rows of a tenant follow each other without a gap.
CREATE TABLE subscriptions (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  plan_id uuid NOT NULL,
  plan_version integer NOT NULL,
  from_at timestamptz NOT NULL,
  until_at timestamptz CHECK (until_at > from_at),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, from_at)
);
CREATE UNIQUE INDEX subscriptions_open ON subscriptions (tenant_id) WHERE until_at IS NULL;
CREATE INDEX subscriptions_plan ON subscriptions (plan_id);
SELECT lintel_tenant_table('subscriptions', 'SELECT');
SELECT lintel_service_table('subscriptions', 'snapshot_reader', 'SELECT');

-- Final invoices; the upcoming one is computed, never stored.
CREATE TABLE invoices (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  number integer NOT NULL,
  period_start timestamptz NOT NULL,
  period_end timestamptz NOT NULL CHECK (period_end > period_start),
  time_zone text NOT NULL,
  currency text NOT NULL,
  total numeric(38,12) NOT NULL,
  lines jsonb NOT NULL,
  -- The usage that has been billed, of this period and the ones before it: what is found above it later is late.
  counted jsonb NOT NULL,
  demo boolean NOT NULL,
  finalised_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, period_start),
  UNIQUE (tenant_id, number)
);
CREATE INDEX invoices_newest ON invoices (id);
-- Nobody changes an invoice; only those of demo tenants are ever deleted.
SELECT lintel_tenant_table('invoices', 'SELECT', 'SELECT, INSERT, DELETE');

-- A tenant sees the plans that it is or was on, in the versions it had.
ALTER TABLE plans ENABLE ROW LEVEL SECURITY;
ALTER TABLE plans FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON plans TO lintel_owner USING (true) WITH CHECK (true);
CREATE POLICY platform ON plans TO lintel_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant ON plans TO lintel_app USING (id IN (SELECT plan_id FROM subscriptions));
GRANT SELECT ON plans TO lintel_app;
GRANT SELECT, INSERT, UPDATE ON plans TO lintel_platform;
SELECT lintel_service_table('plans', 'snapshot_reader', 'SELECT');

ALTER TABLE plan_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE plan_versions FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON plan_versions TO lintel_owner USING (true) WITH CHECK (true);
CREATE POLICY platform ON plan_versions TO lintel_platform USING (true) WITH CHECK (true);
CREATE POLICY tenant ON plan_versions TO lintel_app
  USING ((plan_id, version) IN (SELECT plan_id, plan_version FROM subscriptions));
GRANT SELECT ON plan_versions TO lintel_app;
GRANT SELECT, INSERT ON plan_versions TO lintel_platform;
SELECT lintel_service_table('plan_versions', 'snapshot_reader', 'SELECT');
