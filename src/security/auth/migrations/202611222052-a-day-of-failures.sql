-- When the first of the failures that are counted was: a day later the count starts over, however busy the address.
ALTER TABLE login_throttles ADD COLUMN since timestamptz NOT NULL DEFAULT clock_timestamp();
