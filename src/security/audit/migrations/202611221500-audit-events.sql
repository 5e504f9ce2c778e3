-- Who did what: written once by a reader of the log, changed by nobody.
CREATE TABLE audit_events (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  at timestamptz NOT NULL,
  type text NOT NULL,
  actor jsonb NOT NULL,
  actor_id text NOT NULL,
  on_behalf_of jsonb,
  subject jsonb NOT NULL,
  subject_id text NOT NULL,
  origin jsonb,
  decision jsonb,
  data jsonb NOT NULL,
  request_id text,
  demo boolean NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_events_at ON audit_events (tenant_id, at DESC, id DESC);
CREATE INDEX audit_events_all ON audit_events (at DESC, id DESC);
SELECT lintel_tenant_table('audit_events', 'SELECT, INSERT', 'SELECT, DELETE');
