-- Operators open an event by its id alone, whatever its tenant.
CREATE INDEX audit_events_id ON audit_events (id);
