import { table } from '#kernel/tables';

const own = { home: 'platform', tenantRows: true, erased: 'deleted' } as const;
const directory = { home: 'directory', tenantRows: false, erased: 'deleted' } as const;

/** The tables of auth. */
export const tables = [
  table('users', 'tenant_id id email email_lower name password_hash status locale created_at last_sign_in_at', {
    ...own,
    kept: 'until removed',
    data: { email: 'personal', email_lower: 'personal', name: 'personal', password_hash: 'secret' },
  }),
  table('sessions', 'tenant_id id user_id hash created_at last_seen_at expires_at ended_at method ip client', {
    ...own,
    kept: '30 days after its end',
    data: { hash: 'secret', ip: 'personal', client: 'personal' },
  }),
  table(
    'api_keys',
    `tenant_id id name mode shown hash scopes agents allowed_ips expires_at revoked_at rotated_from overlap_until
     last_used_at created_at created_by`,
    { ...own, kept: 'as long as the tenant', data: { hash: 'secret', created_by: 'personal' } },
  ),
  table(
    'invitations',
    'tenant_id id email email_lower roles hash invited_by created_at expires_at accepted_at revoked_at',
    {
      ...own,
      kept: '30 days after its end',
      data: { email: 'personal', email_lower: 'personal', hash: 'secret', invited_by: 'personal' },
    },
  ),
  table('login_tokens', 'tenant_id id user_id hash created_at expires_at used_at', {
    ...own,
    kept: '1 day after its end',
    data: { hash: 'secret' },
  }),
  table('directory_credentials', 'hash tenant_id kind ref_id', {
    ...directory,
    kept: 'as long as what it leads to',
    data: { hash: 'secret' },
  }),
  table('directory_emails', 'email_lower tenant_id user_id', {
    ...directory,
    kept: 'as long as the user',
    data: { email_lower: 'personal' },
  }),
  table('login_throttles', 'key failures since last_at blocked_until', {
    home: 'directory',
    tenantRows: false,
    kept: '2 days',
    erased: "not a tenant's",
    data: { key: 'personal' },
  }),
];
