import type { Tx } from '#kernel/database';
import type { Actor } from '#kernel/log';

/** How somebody signed in. */
export type SignInMethod = 'password' | 'link' | 'invitation';

/** A person as stored. */
export type UserRow = {
  tenantId: string;
  id: string;
  email: string;
  name: string;
  passwordHash: string | null;
  status: 'active' | 'disabled';
  locale: string | null;
  createdAt: string;
  lastSignInAt: string | null;
};

/** A session as decisions need it. */
export type SessionRow = {
  tenantId: string;
  id: string;
  userId: string;
  hash: string;
  createdAt: string;
  lastSeenAt: string;
  expiresAt: string;
  method: SignInMethod;
  ip: string;
  client: string;
  userName: string;
};

const userColumns = 'tenant_id, id, email, name, password_hash, status, locale, created_at, last_sign_in_at';

/** Lower case, as addresses are compared. */
export function lowerEmail(email: string): string {
  return email.trim().toLowerCase();
}

/** Inserts a user with its way in the directory; an address that the tenant has is a unique violation. */
export async function insertUser(tx: Tx, user: Omit<UserRow, 'lastSignInAt'>): Promise<void> {
  const lower = lowerEmail(user.email);
  await tx.execute(
    `INSERT INTO users (tenant_id, id, email, email_lower, name, password_hash, status, locale, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [user.tenantId, user.id, user.email, lower, user.name, user.passwordHash, user.status, user.locale, user.createdAt],
  );
  await tx.asService('directory', (directory) =>
    directory.execute('INSERT INTO directory_emails (email_lower, tenant_id, user_id) VALUES ($1, $2, $3)', [
      lower,
      user.tenantId,
      user.id,
    ]),
  );
}

/** A tenant's user, locked when it is going to be changed. */
export function readUser(
  tx: Tx,
  tenantId: string,
  id: string,
  lock: 'lock' | 'read' = 'read',
): Promise<UserRow | undefined> {
  return tx.maybe<UserRow>(
    `SELECT ${userColumns} FROM users WHERE tenant_id = $1 AND id = $2${lock === 'lock' ? ' FOR UPDATE' : ''}`,
    [tenantId, id],
  );
}

/** Whether a tenant has a user with this address. */
export async function hasEmail(tx: Tx, tenantId: string, email: string): Promise<boolean> {
  const row = await tx.maybe('SELECT 1 FROM users WHERE tenant_id = $1 AND email_lower = $2', [
    tenantId,
    lowerEmail(email),
  ]);
  return row !== undefined;
}

/** A tenant's users in the order they came, one more than `limit`. */
export function readUsers(tx: Tx, tenantId: string, after: string | undefined, limit: number): Promise<UserRow[]> {
  return tx.query<UserRow>(
    `SELECT ${userColumns} FROM users WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3`,
    [tenantId, after ?? null, limit + 1],
  );
}

/** Which of the given users are active. */
export async function readActive(tx: Tx, tenantId: string, ids: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `SELECT id FROM users WHERE tenant_id = $1 AND id = ANY ($2) AND status = 'active'`,
    [tenantId, ids],
  );
  return rows.map((row) => row.id);
}

/** Writes what can change of a user. */
export async function writeUser(tx: Tx, user: UserRow): Promise<void> {
  await tx.execute(
    `UPDATE users SET name = $3, password_hash = $4, status = $5, locale = $6, last_sign_in_at = $7
     WHERE tenant_id = $1 AND id = $2`,
    [user.tenantId, user.id, user.name, user.passwordHash, user.status, user.locale, user.lastSignInAt],
  );
}

/** Removes a user with sessions, links and the way in the directory. */
export async function deleteUser(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.execute('DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2', [tenantId, id]);
  await tx.execute('DELETE FROM login_tokens WHERE tenant_id = $1 AND user_id = $2', [tenantId, id]);
  await tx.execute('DELETE FROM users WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
  await tx.asService('directory', (directory) =>
    directory.execute('DELETE FROM directory_emails WHERE tenant_id = $1 AND user_id = $2', [tenantId, id]),
  );
}

/** Holds other first starts back until the transaction ends. */
export async function lockFirstStart(tx: Tx): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock(7216549003)');
}

/** The accounts behind an address; through the door of the service `directory`. */
export function findEmail(tx: Tx, email: string): Promise<{ tenantId: string; userId: string }[]> {
  return tx.query('SELECT tenant_id, user_id FROM directory_emails WHERE email_lower = $1 ORDER BY tenant_id', [
    lowerEmail(email),
  ]);
}

/** Inserts a session. */
export async function insertSession(tx: Tx, session: Omit<SessionRow, 'userName'>): Promise<void> {
  await tx.execute(
    `INSERT INTO sessions (tenant_id, id, user_id, hash, created_at, last_seen_at, expires_at, method, ip, client)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      session.tenantId,
      session.id,
      session.userId,
      session.hash,
      session.createdAt,
      session.lastSeenAt,
      session.expiresAt,
      session.method,
      session.ip,
      session.client,
    ],
  );
}

const openSessions = `SELECT s.tenant_id, s.id, s.user_id, s.hash, s.created_at, s.last_seen_at, s.expires_at, s.method, s.ip, s.client,
  u.name AS user_name FROM sessions s JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
  WHERE s.ended_at IS NULL AND u.status = 'active'`;

/** Open sessions of all tenants, or those of the given ids, that expire after a moment: for the snapshot. */
export function readAllSessions(tx: Tx, ids: readonly string[] | undefined, after: string): Promise<SessionRow[]> {
  return tx.query<SessionRow>(`${openSessions} AND ($1::uuid[] IS NULL OR s.id = ANY ($1)) AND s.expires_at > $2`, [
    ids ?? null,
    after,
  ]);
}

/** A user's open sessions, newest first. */
export function readSessions(tx: Tx, tenantId: string, userId: string): Promise<SessionRow[]> {
  return tx.query<SessionRow>(`${openSessions} AND s.tenant_id = $1 AND s.user_id = $2 ORDER BY s.id DESC`, [
    tenantId,
    userId,
  ]);
}

/** Ends a user's open sessions, or one of them; returns the ids of those it ended. */
export async function endSessions(
  tx: Tx,
  tenantId: string,
  userId: string,
  sessionId: string | undefined,
  at: string,
): Promise<string[]> {
  const rows = await tx.query<{ id: string; hash: string }>(
    `UPDATE sessions SET ended_at = $4 WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL
       AND ($3::uuid IS NULL OR id = $3) RETURNING id, hash`,
    [tenantId, userId, sessionId ?? null, at],
  );
  return rows.map((row) => row.id);
}

/** Notes when sessions were last used. */
export async function writeSessionUses(tx: Tx, uses: readonly { id: string; at: string }[]): Promise<void> {
  await tx.execute(
    `UPDATE sessions s SET last_seen_at = u.at FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at)
     WHERE s.id = u.id AND s.last_seen_at < u.at`,
    [uses.map((use) => use.id), uses.map((use) => use.at)],
  );
}

/** The actor that events name for a user. */
export function userActor(user: Pick<UserRow, 'id' | 'name'>, kind: 'user' | 'operator'): Actor {
  return { kind, id: user.id, name: user.name };
}
