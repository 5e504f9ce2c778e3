import type { Tx } from '#kernel/database';

import type { Limit, LimitResource, LimitScope, LimitWindow } from './limits.ts';

/** A limit as it is kept. */
export type LimitRow = Limit & { enabled: boolean; createdAt: string; updatedAt: string };

/** What of a window is used, and what nodes hold beyond that. */
export type Standing = { limitId: string; used: number; held: number };

const columns = `tenant_id, id, scope, scope_id, resource, window_unit AS "window", amount, burst, enabled, created_at, updated_at`;

/** Enabled limits by tenant, of some tenants or of all. */
export function readEnabledLimits(tx: Tx, tenantIds: readonly string[] | undefined): Promise<Limit[]> {
  return tx.query(
    `SELECT tenant_id, id, scope, scope_id, resource, window_unit AS "window", amount, burst FROM limits
     WHERE enabled AND ($1::uuid[] IS NULL OR tenant_id = ANY ($1)) ORDER BY tenant_id, id`,
    [tenantIds ?? null],
  );
}

/** Writes a new limit. False when there is one of this scope, resource and window. */
export async function insertLimit(tx: Tx, limit: LimitRow): Promise<boolean> {
  const written = await tx.execute(
    `INSERT INTO limits (tenant_id, id, scope, scope_id, resource, window_unit, amount, burst, enabled, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT DO NOTHING`,
    [
      limit.tenantId,
      limit.id,
      limit.scope,
      limit.scopeId,
      limit.resource,
      limit.window,
      limit.amount,
      limit.burst,
      limit.enabled,
      limit.createdAt,
    ],
  );
  return written === 1;
}

/** Changes amount, burst and state. */
export async function writeLimit(tx: Tx, limit: LimitRow): Promise<void> {
  await tx.execute(
    'UPDATE limits SET amount = $3, burst = $4, enabled = $5, updated_at = $6 WHERE tenant_id = $1 AND id = $2',
    [limit.tenantId, limit.id, limit.amount, limit.burst, limit.enabled, limit.updatedAt],
  );
}

/** Takes a limit away. */
export async function deleteLimit(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.execute('DELETE FROM limits WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
}

/** One limit, locked for a change. */
export function readLimitForUpdate(tx: Tx, tenantId: string, id: string): Promise<LimitRow | undefined> {
  return tx.maybe(`SELECT ${columns} FROM limits WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, [tenantId, id]);
}

/** What a list of limits is narrowed to. */
export type LimitFilter = {
  scope?: LimitScope;
  scopeId?: string;
  resource?: LimitResource;
  window?: LimitWindow;
};

/** Limits of a tenant in the order of their ids: `limit` + 1 of those after the id `after`. */
export function readLimitPage(
  tx: Tx,
  tenantId: string,
  filter: LimitFilter,
  after: string | undefined,
  limit: number,
): Promise<LimitRow[]> {
  return tx.query(
    `SELECT ${columns} FROM limits WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id > $2)
       AND ($3::text IS NULL OR scope = $3) AND ($4::uuid IS NULL OR scope_id = $4)
       AND ($5::text IS NULL OR resource = $5) AND ($6::text IS NULL OR window_unit = $6)
     ORDER BY id LIMIT $7`,
    [
      tenantId,
      after ?? null,
      filter.scope ?? null,
      filter.scopeId ?? null,
      filter.resource ?? null,
      filter.window ?? null,
      limit + 1,
    ],
  );
}

/** Where limits stand in the windows given: sums over all leases of windows that overlap them. */
export function readStandings(
  tx: Tx,
  tenantId: string,
  windows: readonly { limitId: string; start: string; end: string }[],
): Promise<Standing[]> {
  return tx.query(
    `SELECT w.limit_id, coalesce(sum(x.used), 0)::bigint AS used,
       coalesce(sum(greatest(x.granted - x.used, 0)) FILTER (WHERE NOT h.ended), 0)::bigint AS held
     FROM unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS w(limit_id, window_start, window_end)
     LEFT JOIN leases x ON x.tenant_id = $1 AND x.limit_id = w.limit_id
       AND x.window_end > w.window_start AND x.window_start < w.window_end
     LEFT JOIN lease_holders h ON h.holder_id = x.holder_id
     GROUP BY w.limit_id`,
    [tenantId, windows.map(({ limitId }) => limitId), windows.map(({ start }) => start), windows.map(({ end }) => end)],
  );
}
