import type { Tx } from '#kernel/database';

/** The state of a tenant: `deleting` is the time of grace in which deletion can be taken back. */
export type TenantStatus = 'active' | 'suspended' | 'deleting' | 'deleted';

/** A tenant as stored. Times are ISO 8601 UTC. */
export type TenantRow = {
  id: string;
  slug: string;
  name: string;
  status: TenantStatus;
  locale: string;
  timeZone: string;
  currency: string;
  demo: boolean;
  staleGraceSeconds: number | null;
  createdAt: string;
  deleteAfter: string | null;
  /** Whether its rows are being erased: from then on nothing takes the deletion back. */
  erasing: boolean;
};

const columns =
  'id, slug, name, status, locale, time_zone, currency, demo, stale_grace_seconds, created_at, delete_after, erasing';

/** Inserts a tenant; a taken slug is a unique violation. */
export async function insertTenant(
  tx: Tx,
  row: Omit<TenantRow, 'status' | 'deleteAfter' | 'erasing'>,
): Promise<TenantRow> {
  return tx.one<TenantRow>(
    `INSERT INTO tenants (id, slug, name, locale, time_zone, currency, demo, stale_grace_seconds, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${columns}`,
    [
      row.id,
      row.slug,
      row.name,
      row.locale,
      row.timeZone,
      row.currency,
      row.demo,
      row.staleGraceSeconds,
      row.createdAt,
    ],
  );
}

/** Reads one tenant, locked against other changes when it is going to be changed. */
export async function readTenant(tx: Tx, id: string, lock: 'lock' | 'read' = 'read'): Promise<TenantRow | undefined> {
  return tx.maybe<TenantRow>(`SELECT ${columns} FROM tenants WHERE id = $1${lock === 'lock' ? ' FOR UPDATE' : ''}`, [
    id,
  ]);
}

/** Which tenants a list shows. */
export type TenantFilter = {
  status?: TenantStatus | undefined;
  search?: string | undefined;
  demo?: boolean | undefined;
};

/** Tenants in the order of their ids (newest first), one more than `limit`; the platform tenant and erased ones left out. */
export async function readTenants(
  tx: Tx,
  filter: TenantFilter,
  before: string | undefined,
  limit: number,
): Promise<TenantRow[]> {
  return tx.query<TenantRow>(
    `SELECT ${columns} FROM tenants
     WHERE slug <> 'platform' AND ($1::text IS NULL AND status <> 'deleted' OR status = $1)
       AND ($2::text IS NULL OR position(lower($2) IN lower(name)) > 0 OR position(lower($2) IN slug) > 0)
       AND ($3::boolean IS NULL OR demo = $3)
       AND ($4::uuid IS NULL OR id < $4)
     ORDER BY id DESC LIMIT $5`,
    [filter.status ?? null, filter.search ?? null, filter.demo ?? null, before ?? null, limit + 1],
  );
}

/** All tenants that decisions need, or those of the given ids. */
export async function readViews(tx: Tx, ids: readonly string[] | undefined): Promise<TenantRow[]> {
  return tx.query<TenantRow>(`SELECT ${columns} FROM tenants WHERE $1::uuid[] IS NULL OR id = ANY ($1)`, [ids ?? null]);
}

/** Columns that operators change; `graceDays` sets the end of the time of grace by the database's clock. */
export type TenantChange = Partial<
  Omit<TenantRow, 'id' | 'demo' | 'createdAt'> & {
    graceDays: number;
  }
>;

const changeable = {
  name: 'name = ?',
  locale: 'locale = ?',
  timeZone: 'time_zone = ?',
  currency: 'currency = ?',
  staleGraceSeconds: 'stale_grace_seconds = ?',
  slug: 'slug = ?',
  status: 'status = ?',
  deleteAfter: 'delete_after = ?',
  graceDays: "erase_after = clock_timestamp() + ? * interval '24 hours'",
  erasing: 'erasing = ?',
} as const satisfies Record<keyof TenantChange, string>;

/** Writes the given columns alone: the app role may write no others than name, locale and zone. */
export async function writeTenant(tx: Tx, id: string, change: TenantChange): Promise<TenantRow> {
  const given = (Object.keys(changeable) as (keyof TenantChange)[]).filter((name) => change[name] !== undefined);
  const sets = given.map((name, index) => changeable[name].replace('?', `$${index + 2}`)).join(', ');
  return tx.one<TenantRow>(`UPDATE tenants SET ${sets} WHERE id = $1 RETURNING ${columns}`, [
    id,
    ...given.map((name) => change[name]),
  ]);
}

/**
 * By this machine's clock (`$1`) and by the database's, each by its own deadline: one that was or is wrong erases nobody early. A release
 * before the second deadline sets the first alone.
 */
const due = `status = 'deleting' AND (erasing OR delete_after <= $1 AND coalesce(erase_after, delete_after) <= clock_timestamp())`;

/** Tenants whose time of grace is over, or whose erasure was cut off. */
export async function readDueDeletions(tx: Tx, now: string): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(`SELECT id FROM tenants WHERE ${due} ORDER BY delete_after`, [now]);
  return rows.map((row) => row.id);
}

/** Notes that the erasure of a due tenant begins; false when its deletion was taken back, or its rows are gone already. */
export async function beginErasure(tx: Tx, id: string, now: string): Promise<boolean> {
  return (await tx.execute(`UPDATE tenants SET erasing = true WHERE ${due} AND id = $2`, [now, id])) === 1;
}

/** Tenants that were erased after a moment. */
export async function readDeleted(tx: Tx, since: string): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `SELECT id FROM tenants WHERE status = 'deleted' AND delete_after > $1 ORDER BY delete_after`,
    [since],
  );
  return rows.map((row) => row.id);
}

/** Pairs of tables where the first refers to the second: what refers is erased before what it refers to. */
export async function readReferences(tx: Tx): Promise<{ from: string; to: string }[]> {
  return tx.query<{ from: string; to: string }>(
    `SELECT DISTINCT conrelid::regclass::text AS "from", confrelid::regclass::text AS "to"
     FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid`,
  );
}

/** Erases a tenant's rows of one table (its name comes from tables.ts, never from outside). Returns how many. */
export async function eraseRows(tx: Tx, table: string, tenantId: string): Promise<number> {
  return tx.execute(`DELETE FROM ${table} WHERE tenant_id = $1`, [tenantId]);
}
