-- The end of the time of grace by the database's clock, beside delete_after, which is by the clock of the machine that was asked.
ALTER TABLE tenants ADD COLUMN erase_after timestamptz;
UPDATE tenants SET erase_after = delete_after;
-- Set before the first row of a tenant is erased: a deletion is taken back before that or never, whatever clocks say.
ALTER TABLE tenants ADD COLUMN erasing boolean NOT NULL DEFAULT false;
