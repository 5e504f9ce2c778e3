import type { Tx } from '#kernel/database';
import type { Actor } from '#kernel/log';

/** An API key as stored. */
export type KeyRow = {
  tenantId: string;
  id: string;
  name: string;
  mode: 'live' | 'test';
  /** Beginning and end of the key, for lists. */
  shown: string;
  scopes: string[] | null;
  agents: string[] | null;
  allowedIps: string[] | null;
  expiresAt: string | null;
  revokedAt: string | null;
  rotatedFrom: string | null;
  overlapUntil: string | null;
  lastUsedAt: string | null;
  createdAt: string;
  createdBy: Actor;
};

const columns = `tenant_id, id, name, mode, shown, scopes, agents, allowed_ips, expires_at, revoked_at, rotated_from,
  overlap_until, last_used_at, created_at, created_by`;

/** Inserts a key with its way in the directory. */
export async function insertKey(tx: Tx, row: KeyRow, hash: string): Promise<void> {
  await tx.execute(
    `INSERT INTO api_keys (tenant_id, id, name, mode, shown, hash, scopes, agents, allowed_ips, expires_at, rotated_from, created_at, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      row.tenantId,
      row.id,
      row.name,
      row.mode,
      row.shown,
      hash,
      row.scopes,
      row.agents,
      row.allowedIps,
      row.expiresAt,
      row.rotatedFrom,
      row.createdAt,
      JSON.stringify(row.createdBy),
    ],
  );
  await insertCredential(tx, { hash, tenantId: row.tenantId, kind: 'key', refId: row.id });
}

/** A tenant's key, locked when it is going to be changed. */
export function readKey(
  tx: Tx,
  tenantId: string,
  id: string,
  lock: 'lock' | 'read' = 'read',
): Promise<KeyRow | undefined> {
  return tx.maybe<KeyRow>(
    `SELECT ${columns} FROM api_keys WHERE tenant_id = $1 AND id = $2${lock === 'lock' ? ' FOR UPDATE' : ''}`,
    [tenantId, id],
  );
}

/** A tenant's keys, newest first, one more than `limit`; revoked ones only when asked for. */
export function readKeys(
  tx: Tx,
  tenantId: string,
  options: { includeRevoked: boolean; before: string | undefined; limit: number },
): Promise<KeyRow[]> {
  return tx.query<KeyRow>(
    `SELECT ${columns} FROM api_keys
     WHERE tenant_id = $1 AND ($2 OR revoked_at IS NULL) AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`,
    [tenantId, options.includeRevoked, options.before ?? null, options.limit + 1],
  );
}

/** The keys of all tenants with their hashes, or of the given ids: for the snapshot. */
export function readAllKeys(tx: Tx, ids: readonly string[] | undefined): Promise<(KeyRow & { hash: string })[]> {
  return tx.query<KeyRow & { hash: string }>(
    `SELECT ${columns}, hash FROM api_keys WHERE $1::uuid[] IS NULL OR id = ANY ($1)`,
    [ids ?? null],
  );
}

/** Writes what can change of a key. */
export async function writeKey(tx: Tx, row: KeyRow): Promise<void> {
  await tx.execute(
    `UPDATE api_keys SET name = $3, scopes = $4, agents = $5, allowed_ips = $6, expires_at = $7, revoked_at = $8, overlap_until = $9
     WHERE tenant_id = $1 AND id = $2`,
    [
      row.tenantId,
      row.id,
      row.name,
      row.scopes,
      row.agents,
      row.allowedIps,
      row.expiresAt,
      row.revokedAt,
      row.overlapUntil,
    ],
  );
}

/** Notes when keys were last used. */
export async function writeKeyUses(tx: Tx, uses: readonly { id: string; at: string }[]): Promise<void> {
  await tx.execute(
    `UPDATE api_keys k SET last_used_at = u.at FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at)
     WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)`,
    [uses.map((use) => use.id), uses.map((use) => use.at)],
  );
}

/** Where a credential leads. */
export type Credential = {
  hash: string;
  tenantId: string;
  kind: 'key' | 'session' | 'login' | 'invitation';
  refId: string;
};

/** Puts a credential into the directory. */
export async function insertCredential(tx: Tx, credential: Credential): Promise<void> {
  await tx.asService('directory', (directory) =>
    directory.execute('INSERT INTO directory_credentials (hash, tenant_id, kind, ref_id) VALUES ($1, $2, $3, $4)', [
      credential.hash,
      credential.tenantId,
      credential.kind,
      credential.refId,
    ]),
  );
}

/** Finds a credential by its hash; through the door of the service `directory`. */
export function findCredential(tx: Tx, hash: string, kind: Credential['kind']): Promise<Credential | undefined> {
  return tx.maybe<Credential>(
    'SELECT hash, tenant_id, kind, ref_id FROM directory_credentials WHERE hash = $1 AND kind = $2',
    [hash, kind],
  );
}
