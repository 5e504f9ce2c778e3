-- What may be used: one row per scope, resource and window.
CREATE TABLE limits (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  scope text NOT NULL CHECK (scope IN ('tenant', 'key', 'agent')),
  scope_id uuid,
  resource text NOT NULL CHECK (resource IN ('requests', 'concurrency', 'tokens', 'money')),
  window_unit text NOT NULL,
  -- Tokens, money in micros of the tenant's currency, slots, or requests per second.
  amount bigint NOT NULL CHECK (amount BETWEEN 0 AND 9000000000000000),
  burst bigint CHECK (burst BETWEEN 1 AND 1000000000),
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE NULLS NOT DISTINCT (tenant_id, scope, scope_id, resource, window_unit),
  CHECK ((scope = 'tenant') = (scope_id IS NULL)),
  CHECK (CASE resource
    WHEN 'requests' THEN window_unit = 'second'
    WHEN 'concurrency' THEN window_unit = 'none'
    ELSE window_unit IN ('day', 'month') END),
  CHECK (burst IS NULL OR resource = 'requests')
);
SELECT lintel_tenant_table('limits');
SELECT lintel_service_table('limits', 'snapshot_reader', 'SELECT');
SELECT lintel_service_table('limits', 'lease_keeper', 'SELECT');

-- A holder is one life of a node's lease book. `ended` is set once and never taken back: what it held and did not use is free again.
CREATE TABLE lease_holders (
  holder_id uuid PRIMARY KEY,
  node_id uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  ended boolean NOT NULL DEFAULT false
);
GRANT SELECT, INSERT, UPDATE, DELETE ON lease_holders TO lintel_lease_keeper;
GRANT SELECT ON lease_holders TO lintel_app, lintel_platform, lintel_usage_writer;

-- What a holder may use of a limit in a window. `granted` changes under the limit's advisory lock, `used` in the transactions
-- that commit calls. Blocked: greatest(granted, used) while the holder lives, used afterwards. The sum of `used` is the counter.
CREATE TABLE leases (
  tenant_id uuid NOT NULL,
  limit_id uuid NOT NULL,
  window_start timestamptz NOT NULL,
  holder_id uuid NOT NULL,
  window_end timestamptz NOT NULL,
  granted bigint NOT NULL DEFAULT 0,
  used bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, limit_id, window_start, holder_id)
) WITH (fillfactor = 60);
CREATE INDEX leases_holder ON leases (holder_id);
SELECT lintel_tenant_table('leases', 'SELECT', 'SELECT, DELETE');
SELECT lintel_service_table('leases', 'lease_keeper', 'SELECT, INSERT, UPDATE, DELETE');
SELECT lintel_service_table('leases', 'usage_writer', 'SELECT, INSERT, UPDATE');

-- The token bucket of a requests-per-second limit as the nodes reported it, and what each node was asked for lately.
CREATE TABLE rate_buckets (
  tenant_id uuid NOT NULL,
  limit_id uuid NOT NULL,
  level double precision NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, limit_id)
) WITH (fillfactor = 60);
SELECT lintel_tenant_table('rate_buckets', '', 'SELECT, DELETE');
SELECT lintel_service_table('rate_buckets', 'lease_keeper', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE rate_demands (
  tenant_id uuid NOT NULL,
  limit_id uuid NOT NULL,
  holder_id uuid NOT NULL,
  demand double precision NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, limit_id, holder_id)
) WITH (fillfactor = 60);
SELECT lintel_tenant_table('rate_demands', '', 'SELECT, DELETE');
SELECT lintel_service_table('rate_demands', 'lease_keeper', 'SELECT, INSERT, UPDATE, DELETE');
