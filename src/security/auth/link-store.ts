import type { Tx } from '#kernel/database';
import type { Actor } from '#kernel/log';

import { lowerEmail } from './store.ts';

/** An invitation as stored. */
export type InvitationRow = {
  tenantId: string;
  id: string;
  email: string;
  roles: string[];
  invitedBy: Actor;
  createdAt: string;
  expiresAt: string;
};

const columns = 'tenant_id, id, email, roles, invited_by, created_at, expires_at';

/** Inserts a login link. */
export async function insertLoginToken(
  tx: Tx,
  row: { tenantId: string; id: string; userId: string; hash: string; createdAt: string; expiresAt: string },
): Promise<void> {
  await tx.execute(
    'INSERT INTO login_tokens (tenant_id, id, user_id, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)',
    [row.tenantId, row.id, row.userId, row.hash, row.createdAt, row.expiresAt],
  );
}

/** Whether a user's login link can still be used. */
export async function isOpenLoginToken(
  tx: Tx,
  link: { tenantId: string; userId: string; hash: string; now: string },
): Promise<boolean> {
  const row = await tx.maybe(
    'SELECT 1 FROM login_tokens WHERE tenant_id = $1 AND user_id = $2 AND hash = $3 AND used_at IS NULL AND expires_at > $4',
    [link.tenantId, link.userId, link.hash, link.now],
  );
  return row !== undefined;
}

/** Uses a login link up: of several at once exactly one gets the user's id. */
export async function useLoginToken(tx: Tx, tenantId: string, id: string, now: string): Promise<string | undefined> {
  const row = await tx.maybe<{ userId: string }>(
    `UPDATE login_tokens SET used_at = $3 WHERE tenant_id = $1 AND id = $2 AND used_at IS NULL AND expires_at > $3 RETURNING user_id`,
    [tenantId, id, now],
  );
  return row?.userId;
}

/** Makes a user's unused login links useless. */
export async function voidLoginTokens(tx: Tx, tenantId: string, userId: string, now: string): Promise<void> {
  await tx.execute('UPDATE login_tokens SET used_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND used_at IS NULL', [
    tenantId,
    userId,
    now,
  ]);
}

/** Inserts an invitation. */
export async function insertInvitation(tx: Tx, row: InvitationRow, hash: string): Promise<void> {
  await tx.execute(
    `INSERT INTO invitations (tenant_id, id, email, email_lower, roles, hash, invited_by, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      row.tenantId,
      row.id,
      row.email,
      lowerEmail(row.email),
      row.roles,
      hash,
      JSON.stringify(row.invitedBy),
      row.createdAt,
      row.expiresAt,
    ],
  );
}

/** An open invitation. */
export function readInvitation(tx: Tx, tenantId: string, id: string, now: string): Promise<InvitationRow | undefined> {
  return tx.maybe<InvitationRow>(
    `SELECT ${columns} FROM invitations
     WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $3`,
    [tenantId, id, now],
  );
}

/** A tenant's open invitations, newest first. */
export function readInvitations(tx: Tx, tenantId: string, now: string): Promise<InvitationRow[]> {
  return tx.query<InvitationRow>(
    `SELECT ${columns} FROM invitations
     WHERE tenant_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2 ORDER BY id DESC LIMIT 200`,
    [tenantId, now],
  );
}

/** Uses an invitation up: of several at once exactly one gets it. */
export function acceptInvitation(
  tx: Tx,
  tenantId: string,
  id: string,
  now: string,
): Promise<InvitationRow | undefined> {
  return tx.maybe<InvitationRow>(
    `UPDATE invitations SET accepted_at = $3
     WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $3 RETURNING ${columns}`,
    [tenantId, id, now],
  );
}

/** Takes open invitations back: one by its id, or all to an address. */
export function revokeInvitations(
  tx: Tx,
  tenantId: string,
  which: { id: string } | { email: string },
  now: string,
): Promise<InvitationRow[]> {
  const [condition, value] = 'id' in which ? ['id = $2', which.id] : ['email_lower = $2', lowerEmail(which.email)];
  return tx.query<InvitationRow>(
    `UPDATE invitations SET revoked_at = $3
     WHERE tenant_id = $1 AND ${condition} AND accepted_at IS NULL AND revoked_at IS NULL RETURNING ${columns}`,
    [tenantId, value, now],
  );
}

/** Deletes what ended before a moment, over all tenants, with its ways in the directory. Returns how many rows. */
export async function purgeEnded(tx: Tx, now: string, before: string): Promise<number> {
  const gone = await tx.query<{ id: string }>(
    `WITH s AS (DELETE FROM sessions WHERE expires_at < $2 OR ended_at < $2 RETURNING id),
          l AS (DELETE FROM login_tokens WHERE expires_at < $1 OR used_at < $1 RETURNING id),
          i AS (DELETE FROM invitations WHERE expires_at < $2 OR accepted_at < $2 OR revoked_at < $2 RETURNING id)
     SELECT id FROM s UNION ALL SELECT id FROM l UNION ALL SELECT id FROM i`,
    [now, before],
  );
  if (gone.length > 0)
    await tx.asService('directory', (directory) =>
      directory.execute('DELETE FROM directory_credentials WHERE ref_id = ANY ($1)', [gone.map((row) => row.id)]),
    );
  return gone.length;
}
