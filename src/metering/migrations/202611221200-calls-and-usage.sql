-- One row per request to a model, embedding or agent route; `at` is the time its id carries.
CREATE TABLE calls (
  tenant_id uuid NOT NULL,
  at timestamptz NOT NULL,
  id uuid NOT NULL,
  writer uuid NOT NULL,
  epoch integer NOT NULL,
  writer_seq bigint NOT NULL,
  demo boolean NOT NULL,
  mode text NOT NULL,
  kind text NOT NULL,
  status text NOT NULL,
  http_status integer NOT NULL,
  key_id uuid,
  agent_id uuid,
  run_id uuid,
  provider text,
  model text,
  stream boolean NOT NULL,
  estimated boolean NOT NULL,
  late boolean NOT NULL,
  cost numeric(38,12),
  cost_currency text,
  price numeric(38,12),
  currency text,
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  -- How many requests the row stands for: more than one only for coalesced refusals.
  requests integer NOT NULL,
  ended_at timestamptz NOT NULL,
  -- Who, the decision trace, reserved, all quantities, origin, attempts, error. Only shown, so kept as it came.
  detail json NOT NULL,
  PRIMARY KEY (tenant_id, at, id)
) PARTITION BY RANGE (at);
CREATE INDEX calls_writer ON calls (writer, epoch, writer_seq);
CREATE INDEX calls_recent ON calls (at, id);
SELECT lintel_tenant_table('calls', 'SELECT', 'SELECT, DELETE');
SELECT lintel_service_table('calls', 'usage_writer', 'SELECT, INSERT');
SELECT lintel_service_table('calls', 'log_reader', 'SELECT');

-- What was used: generic events, the source of bills.
CREATE TABLE usage (
  tenant_id uuid NOT NULL,
  at timestamptz NOT NULL,
  id uuid NOT NULL,
  writer uuid NOT NULL,
  epoch integer NOT NULL,
  writer_seq bigint NOT NULL,
  source text NOT NULL,
  type text NOT NULL,
  dimensions jsonb NOT NULL,
  quantities jsonb NOT NULL,
  demo boolean NOT NULL,
  mode text NOT NULL,
  estimated boolean NOT NULL,
  late boolean NOT NULL,
  recorded_at timestamptz NOT NULL,
  price numeric(38,12),
  currency text,
  cost numeric(38,12),
  cost_currency text,
  PRIMARY KEY (tenant_id, at, id)
) PARTITION BY RANGE (at);
CREATE INDEX usage_writer_order ON usage (writer, epoch, writer_seq);
SELECT lintel_tenant_table('usage', 'SELECT', 'SELECT, DELETE');
SELECT lintel_service_table('usage', 'usage_writer', 'SELECT, INSERT');
SELECT lintel_service_table('usage', 'log_reader', 'SELECT');

-- How far each writer has numbered its committed rows. A writer commits one batch at a time; it takes a new epoch when it does
-- not know what became of one, so that readers may trust every number up to the one here.
CREATE TABLE metering_writers (
  writer uuid NOT NULL,
  epoch integer NOT NULL,
  calls bigint NOT NULL,
  usage bigint NOT NULL,
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (writer, epoch)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON metering_writers TO lintel_usage_writer;
GRANT SELECT ON metering_writers TO lintel_log_reader;

-- Month partitions of calls and usage that hold `day` and the month after it. Attached, not created in place: the parent is
-- never locked against the writers.
CREATE FUNCTION lintel_tend_metering(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
  month date;
  part text;
BEGIN
  IF day < '2020-01-01' OR day > '2200-01-01' THEN RAISE EXCEPTION 'no partition for %', day USING ERRCODE = '22008'; END IF;
  PERFORM pg_advisory_xact_lock(721654903);
  FOREACH parent IN ARRAY ARRAY['calls', 'usage'] LOOP
    FOR month IN SELECT generate_series(date_trunc('month', day), date_trunc('month', day) + interval '1 month', interval '1 month')::date LOOP
      part := parent || '_' || to_char(month, 'YYYYMM');
      IF to_regclass(part) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parent);
        PERFORM lintel_tenant_table(part::regclass, '', '');
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
          month::text || ' 00:00:00+00', (month + interval '1 month')::date::text || ' 00:00:00+00');
      END IF;
    END LOOP;
  END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION lintel_tend_metering FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lintel_tend_metering TO lintel_usage_writer;
