-- Row-level security in one place: each table with tenant rows calls one of these two.

CREATE FUNCTION lintel_tenant_table(target regclass, app text DEFAULT 'SELECT, INSERT, UPDATE, DELETE', platform text DEFAULT 'SELECT, INSERT, UPDATE, DELETE')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  -- Without this FORCE lets the owner's backfills touch no row, silently.
  EXECUTE format('CREATE POLICY owner ON %s TO lintel_owner USING (true) WITH CHECK (true)', target);
  EXECUTE format(
    'CREATE POLICY tenant ON %s TO lintel_app USING (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))', target);
  EXECUTE format('CREATE POLICY platform ON %s TO lintel_platform USING (true) WITH CHECK (true)', target);
  IF app <> '' THEN EXECUTE format('GRANT %s ON %s TO lintel_app', app, target); END IF;
  IF platform <> '' THEN EXECUTE format('GRANT %s ON %s TO lintel_platform', platform, target); END IF;
END $$;

CREATE FUNCTION lintel_service_table(target regclass, service text, privileges text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('GRANT %s ON %s TO %I', privileges, target, 'lintel_' || service);
  IF (SELECT relrowsecurity FROM pg_class WHERE oid = target) THEN
    EXECUTE format('CREATE POLICY %I ON %s TO %I USING (true) WITH CHECK (true)', service, target, 'lintel_' || service);
  END IF;
END $$;

-- The outbox: events written in the transaction of the change they tell of.
CREATE TABLE outbox (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  event jsonb NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_order ON outbox (id);
SELECT lintel_tenant_table('outbox', 'INSERT', 'INSERT');
SELECT lintel_service_table('outbox', 'relay', 'SELECT, UPDATE, DELETE');

-- The log: committed events with a dense number, kept 30 days.
CREATE TABLE log (
  at timestamptz NOT NULL,
  seq bigint NOT NULL,
  event jsonb NOT NULL,
  PRIMARY KEY (at, seq)
) PARTITION BY RANGE (at);
CREATE INDEX log_seq ON log (seq);
GRANT SELECT, INSERT ON log TO lintel_relay;
GRANT SELECT ON log TO lintel_log_reader;

CREATE TABLE log_head (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq bigint NOT NULL,
  epoch bigint NOT NULL,
  heartbeat bigint NOT NULL
);
INSERT INTO log_head (seq, epoch, heartbeat) VALUES (0, 0, 0);
GRANT SELECT, UPDATE ON log_head TO lintel_relay;
GRANT SELECT ON log_head TO lintel_log_reader;

CREATE TABLE log_cursors (
  reader text PRIMARY KEY,
  seq bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON log_cursors TO lintel_log_reader;

-- Day partitions of the log: made three days ahead, dropped after 30.
CREATE FUNCTION lintel_tend_log(today date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  day date;
  old text;
BEGIN
  FOR day IN SELECT generate_series(today - 1, today + 3, interval '1 day')::date LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF log FOR VALUES FROM (%L) TO (%L)',
      'log_' || to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
  END LOOP;
  FOR old IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'log'::regclass
    AND inhrelid::regclass::text < 'log_' || to_char(today - 30, 'YYYYMMDD') LOOP
    EXECUTE format('DROP TABLE %s', old);
  END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION lintel_tend_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lintel_tend_log TO lintel_relay;

-- Every process that serves or works is a node.
CREATE TABLE nodes (
  id uuid PRIMARY KEY,
  role text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  spool text,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  snapshot_seq bigint NOT NULL DEFAULT 0,
  counters jsonb NOT NULL DEFAULT '{}',
  ended_at timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON nodes TO lintel_node_keeper;
GRANT SELECT ON nodes TO lintel_platform, lintel_lease_keeper;

-- What an installation must agree on: the fingerprint of the root secret.
CREATE TABLE installation (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  id uuid NOT NULL,
  root_fingerprint text NOT NULL
);
GRANT SELECT, INSERT ON installation TO lintel_node_keeper;

-- Answers of writes that carried an Idempotency-Key, kept 24 hours.
CREATE TABLE idempotency_keys (
  tenant_id uuid NOT NULL,
  principal text NOT NULL,
  key text NOT NULL,
  request_hash text NOT NULL,
  status integer,
  answer jsonb,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant_id, principal, key)
);
SELECT lintel_tenant_table('idempotency_keys');
