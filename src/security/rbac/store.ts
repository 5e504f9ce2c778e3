import type { Tx } from '#kernel/database';

/** Who can hold roles. Operators are users of the platform tenant. */
export type Holder = { tenantId: string; kind: 'user' | 'key'; id: string };

/** A holder with its roles. */
export type HeldRoles = Holder & { roles: string[] };

const held = `SELECT tenant_id, principal_kind AS kind, principal_id AS id, array_agg(role ORDER BY role) AS roles FROM grants`;

/** The roles of all principals, or of the given ones, whatever their tenant: for the snapshot. */
export function readAllRoles(tx: Tx, ids: readonly string[] | undefined): Promise<HeldRoles[]> {
  return tx.query<HeldRoles>(`${held} WHERE $1::uuid[] IS NULL OR principal_id = ANY ($1) GROUP BY 1, 2, 3`, [
    ids ?? null,
  ]);
}

/** The roles of a tenant's principals. */
export function readTenantRoles(tx: Tx, tenantId: string): Promise<HeldRoles[]> {
  return tx.query<HeldRoles>(`${held} WHERE tenant_id = $1 GROUP BY 1, 2, 3 ORDER BY 2 DESC, 3`, [tenantId]);
}

/** The roles of one principal, locked until the transaction ends. */
export async function lockRoles(tx: Tx, holder: Holder): Promise<string[]> {
  const rows = await tx.query<{ role: string }>(
    `SELECT role FROM grants WHERE tenant_id = $1 AND principal_kind = $2 AND principal_id = $3 ORDER BY role FOR UPDATE`,
    [holder.tenantId, holder.kind, holder.id],
  );
  return rows.map((row) => row.role);
}

/** The users that hold a role, locked until the transaction ends: two who leave at once cannot both be "not the last". */
export async function lockUsersOf(tx: Tx, tenantId: string, role: string): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `SELECT principal_id AS id FROM grants WHERE tenant_id = $1 AND principal_kind = 'user' AND role = $2
     ORDER BY principal_id FOR UPDATE`,
    [tenantId, role],
  );
  return rows.map((row) => row.id);
}

/** Makes a principal's roles exactly the given ones. */
export async function writeRoles(tx: Tx, holder: Holder, roles: readonly string[], at: string): Promise<void> {
  await tx.execute(
    `DELETE FROM grants WHERE tenant_id = $1 AND principal_kind = $2 AND principal_id = $3 AND role <> ALL ($4::text[])`,
    [holder.tenantId, holder.kind, holder.id, roles],
  );
  await tx.execute(
    `INSERT INTO grants (tenant_id, principal_kind, principal_id, role, granted_at)
     SELECT $1, $2, $3, role, $5 FROM unnest($4::text[]) AS role ON CONFLICT DO NOTHING`,
    [holder.tenantId, holder.kind, holder.id, roles, at],
  );
}
