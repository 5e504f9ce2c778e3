CREATE TABLE agents (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('native', 'external')),
  latest_version integer NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
-- A deleted agent's runs keep their row; its name is free again.
CREATE UNIQUE INDEX agents_name ON agents (tenant_id, name) WHERE deleted_at IS NULL;
SELECT lintel_tenant_table('agents');
SELECT lintel_service_table('agents', 'snapshot_reader', 'SELECT');

CREATE TABLE agent_versions (
  tenant_id uuid NOT NULL,
  agent_id uuid NOT NULL,
  version integer NOT NULL,
  definition jsonb NOT NULL,
  -- Headers of an external agent, sealed.
  secret text,
  note text NOT NULL,
  created_by jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, agent_id, version),
  FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE
);
-- Immutable: no UPDATE for the program.
SELECT lintel_tenant_table('agent_versions', 'SELECT, INSERT, DELETE', 'SELECT, INSERT, DELETE');

CREATE TABLE agent_aliases (
  tenant_id uuid NOT NULL,
  agent_id uuid NOT NULL,
  alias text NOT NULL,
  version integer NOT NULL,
  PRIMARY KEY (tenant_id, agent_id, alias),
  FOREIGN KEY (tenant_id, agent_id, version) REFERENCES agent_versions (tenant_id, agent_id, version) ON DELETE CASCADE
);
SELECT lintel_tenant_table('agent_aliases');
SELECT lintel_service_table('agent_aliases', 'snapshot_reader', 'SELECT');

CREATE TABLE tools (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('mcp_http', 'mcp_stdio', 'openapi')),
  config jsonb NOT NULL,
  -- Headers or environment sent along, sealed.
  secret text,
  -- Set by an operator: the server's own hints (readOnlyHint, idempotentHint) are believed.
  trusted boolean NOT NULL DEFAULT false,
  functions jsonb NOT NULL DEFAULT '[]',
  refreshed_at timestamptz,
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);
SELECT lintel_tenant_table('tools');

CREATE TABLE runs (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  -- Rises each time the run changes hands: a write that names an older one changes nothing.
  fence bigint NOT NULL,
  status text NOT NULL CHECK (status IN ('queued', 'running', 'waiting', 'needs_review', 'finished', 'failed', 'cancelled')),
  agent_id uuid NOT NULL,
  agent_version integer NOT NULL,
  agent_name text NOT NULL,
  input jsonb NOT NULL,
  mode text NOT NULL CHECK (mode IN ('live', 'test')),
  demo boolean NOT NULL,
  principal jsonb NOT NULL,
  call_id uuid,
  guardrails jsonb NOT NULL,
  foreground boolean NOT NULL,
  -- A run that another agent's run started as a tool.
  parent_id uuid,
  parent_seq integer,
  -- Agents above and including this one, for the depth limit and against cycles.
  path uuid[] NOT NULL,
  lease_node uuid,
  lease_expires_at timestamptz,
  -- Not picked up before: set when only others' open reservations stood in the way.
  available_at timestamptz NOT NULL,
  -- Asked for; who holds the run writes what it used so far and ends it.
  cancel_requested boolean NOT NULL DEFAULT false,
  model_steps integer NOT NULL DEFAULT 0,
  tokens bigint NOT NULL DEFAULT 0,
  money numeric(38,12) NOT NULL DEFAULT 0,
  currency text,
  active_ms bigint NOT NULL DEFAULT 0,
  output jsonb,
  error jsonb,
  created_at timestamptz NOT NULL,
  finished_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, agent_id, agent_version) REFERENCES agent_versions (tenant_id, agent_id, version),
  UNIQUE (tenant_id, parent_id, parent_seq),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES runs (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX runs_of_agent ON runs (tenant_id, agent_id, id);
CREATE INDEX runs_to_claim ON runs (available_at) WHERE status = 'queued';
CREATE INDEX runs_held ON runs (lease_expires_at) WHERE status = 'running';
SELECT lintel_tenant_table('runs');
SELECT lintel_service_table('runs', 'lease_keeper', 'SELECT, UPDATE');

CREATE TABLE steps (
  tenant_id uuid NOT NULL,
  run_id uuid NOT NULL,
  seq integer NOT NULL,
  kind text NOT NULL CHECK (kind IN ('model', 'tool', 'approval', 'external')),
  -- intent: the effect may have happened; pending: a person has to decide; retry: a person said "call it again".
  status text NOT NULL CHECK (status IN ('intent', 'pending', 'retry', 'done')),
  -- Tools and approvals: the model step and the place in its list of calls.
  of_seq integer,
  of_call integer,
  tool text,
  arguments jsonb,
  idempotency_key text,
  result jsonb,
  usage jsonb,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  PRIMARY KEY (tenant_id, run_id, seq),
  FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) ON DELETE CASCADE
);
SELECT lintel_tenant_table('steps');

CREATE TABLE approvals (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  run_id uuid NOT NULL,
  seq integer NOT NULL,
  agent_id uuid NOT NULL,
  agent_name text NOT NULL,
  tool text NOT NULL,
  arguments jsonb NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'cancelled')),
  requested_by jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  decided_at timestamptz,
  decided_by jsonb,
  note text,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, run_id, seq),
  FOREIGN KEY (tenant_id, run_id, seq) REFERENCES steps (tenant_id, run_id, seq) ON DELETE CASCADE
);
CREATE INDEX approvals_open ON approvals (tenant_id, status, id);
SELECT lintel_tenant_table('approvals');
