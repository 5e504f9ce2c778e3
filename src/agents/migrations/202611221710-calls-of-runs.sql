-- Front door, origin and form of the call that a run answers: whoever ends the run can write the call's row.
ALTER TABLE runs ADD COLUMN call jsonb;
-- What a step set aside under limits, and what the run that it started used.
ALTER TABLE steps ADD COLUMN reserved jsonb, ADD COLUMN below jsonb;
-- Claims go round the tenants: the next tenant with a queued run, then its oldest runs.
CREATE INDEX runs_queued ON runs (tenant_id, available_at) WHERE status = 'queued';
DROP INDEX runs_to_claim;
