-- People. E-mail addresses are unique in a tenant; one person in two tenants has two accounts.
CREATE TABLE users (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  email text NOT NULL,
  email_lower text NOT NULL,
  name text NOT NULL,
  password_hash text,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  locale text,
  created_at timestamptz NOT NULL,
  last_sign_in_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, email_lower)
);
SELECT lintel_tenant_table('users');
SELECT lintel_service_table('users', 'snapshot_reader', 'SELECT');

-- Server-side sessions: only the hash of what the browser holds.
CREATE TABLE sessions (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  hash text NOT NULL,
  created_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  method text NOT NULL,
  ip text NOT NULL,
  client text NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX sessions_user ON sessions (tenant_id, user_id);
CREATE INDEX sessions_id ON sessions (id);
SELECT lintel_tenant_table('sessions');
SELECT lintel_service_table('sessions', 'snapshot_reader', 'SELECT');

CREATE TABLE api_keys (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  mode text NOT NULL CHECK (mode IN ('live', 'test')),
  shown text NOT NULL,
  hash text NOT NULL,
  scopes text[],
  agents uuid[],
  allowed_ips text[],
  expires_at timestamptz,
  revoked_at timestamptz,
  rotated_from uuid,
  overlap_until timestamptz,
  last_used_at timestamptz,
  created_at timestamptz NOT NULL,
  created_by jsonb NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX api_keys_id ON api_keys (id);
SELECT lintel_tenant_table('api_keys');
SELECT lintel_service_table('api_keys', 'snapshot_reader', 'SELECT');

CREATE TABLE invitations (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  email text NOT NULL,
  email_lower text NOT NULL,
  roles text[] NOT NULL,
  hash text NOT NULL,
  invited_by jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  accepted_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
SELECT lintel_tenant_table('invitations');

-- One-time login links.
CREATE TABLE login_tokens (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  hash text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
SELECT lintel_tenant_table('login_tokens');

-- Directory: what is known before the tenant. They hold nothing but the way to it.
CREATE TABLE directory_credentials (
  hash text PRIMARY KEY,
  tenant_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('key', 'session', 'login', 'invitation')),
  ref_id uuid NOT NULL
);
CREATE INDEX directory_credentials_ref ON directory_credentials (ref_id);
CREATE INDEX directory_credentials_tenant ON directory_credentials (tenant_id);
SELECT lintel_service_table('directory_credentials', 'directory', 'SELECT, INSERT, DELETE');

CREATE TABLE directory_emails (
  email_lower text NOT NULL,
  tenant_id uuid NOT NULL,
  user_id uuid NOT NULL,
  PRIMARY KEY (email_lower, tenant_id)
);
CREATE INDEX directory_emails_tenant ON directory_emails (tenant_id);
SELECT lintel_service_table('directory_emails', 'directory', 'SELECT, INSERT, DELETE');

-- Failed sign-ins per account and address (keys are HMACs): shared by all nodes.
CREATE TABLE login_throttles (
  key text PRIMARY KEY,
  failures integer NOT NULL,
  last_at timestamptz NOT NULL,
  blocked_until timestamptz
);
SELECT lintel_service_table('login_throttles', 'directory', 'SELECT, INSERT, UPDATE, DELETE');
