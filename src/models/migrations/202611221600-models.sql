-- Model providers, their models, what they charge, and which private addresses may be reached. The platform's own are rows of
-- the platform tenant.

CREATE TABLE providers (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,39}$' AND name NOT IN ('agent', 'lintel')),
  preset text NOT NULL,
  base_url text NOT NULL,
  key_sealed text,
  key_hint text,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  -- For the platform's: only these tenants may use it; null = all.
  shared_with uuid[],
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);
SELECT lintel_tenant_table('providers');
SELECT lintel_service_table('providers', 'snapshot_reader', 'SELECT');

CREATE TABLE models (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  provider_id uuid NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  kind text NOT NULL CHECK (kind IN ('chat', 'embedding')),
  context_tokens integer CHECK (context_tokens > 0),
  max_output_tokens integer CHECK (max_output_tokens > 0),
  max_image_tokens integer CHECK (max_image_tokens > 0),
  max_audio_tokens integer CHECK (max_audio_tokens > 0),
  cheap boolean NOT NULL DEFAULT false,
  fallbacks text[] NOT NULL DEFAULT '{}',
  bytes_per_token real NOT NULL DEFAULT 4 CHECK (bytes_per_token > 0),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, provider_id, name),
  FOREIGN KEY (tenant_id, provider_id) REFERENCES providers (tenant_id, id) ON DELETE CASCADE
);
SELECT lintel_tenant_table('models');
SELECT lintel_service_table('models', 'snapshot_reader', 'SELECT');

-- The dated price book: what a provider charges per single unit from valid_from on. Null: not priced apart.
CREATE TABLE cost_prices (
  tenant_id uuid NOT NULL,
  model_id uuid NOT NULL,
  valid_from timestamptz NOT NULL,
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  input_tokens numeric(38, 12) CHECK (input_tokens >= 0),
  cached_input_tokens numeric(38, 12) CHECK (cached_input_tokens >= 0),
  cache_write_input_tokens numeric(38, 12) CHECK (cache_write_input_tokens >= 0),
  output_tokens numeric(38, 12) CHECK (output_tokens >= 0),
  reasoning_tokens numeric(38, 12) CHECK (reasoning_tokens >= 0),
  requests numeric(38, 12) CHECK (requests >= 0),
  PRIMARY KEY (tenant_id, model_id, valid_from),
  FOREIGN KEY (tenant_id, model_id) REFERENCES models (tenant_id, id) ON DELETE CASCADE
);
SELECT lintel_tenant_table('cost_prices');
SELECT lintel_service_table('cost_prices', 'snapshot_reader', 'SELECT');

-- Private addresses (host:port or a CIDR) that the operator allows: rows of a tenant hold for it, those of the platform tenant
-- for everybody. Tenants may read theirs, never write.
CREATE TABLE egress_rules (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  target text NOT NULL,
  note text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, target)
);
SELECT lintel_tenant_table('egress_rules', 'SELECT');
SELECT lintel_service_table('egress_rules', 'snapshot_reader', 'SELECT');
