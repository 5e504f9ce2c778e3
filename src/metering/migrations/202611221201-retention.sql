-- Drops the months of calls and usage that ended more than some days ago, and what writers of that time were numbered by. Returns the
-- names of the partitions dropped. `today` counts only as far as the database's own clock has come: a caller's may have jumped.
-- A drop waits for readers of the whole table, and writers wait behind it: it gives up after half a second.
CREATE FUNCTION lintel_drop_metering(today date, days integer) RETURNS text[] LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
  before date := least(today, (clock_timestamp() AT TIME ZONE 'UTC')::date) - greatest(days, 62);
  old text;
  dropped text[] := '{}';
BEGIN
  -- Also keeps lintel_tend_metering from making what is dropped at the same time.
  PERFORM pg_advisory_xact_lock(721654903);
  FOR old IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('calls'::regclass, 'usage'::regclass)
      AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= before ORDER BY right(c.relname, 6), c.relname LOOP
    EXECUTE format('DROP TABLE %I', old);
    dropped := dropped || old;
  END LOOP;
  DELETE FROM metering_writers WHERE seen_at < before;
  RETURN dropped;
END $$;
REVOKE EXECUTE ON FUNCTION lintel_drop_metering FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lintel_drop_metering TO lintel_usage_writer;
