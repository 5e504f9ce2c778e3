import type { Tx } from '#kernel/database';
import { lease, runColumns } from './run-store.ts';
import type { Run } from './runs.ts';

/** Runs of a tenant looked at beyond those wanted: others may be taking some at this moment. */
const margin = 32;

// Each tenant with a queued run is one step along the index, however long its queue is.
const claimSql = `WITH RECURSIVE waiting AS (
    (SELECT tenant_id FROM runs WHERE status = 'queued' ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT next.tenant_id FROM runs next WHERE next.status = 'queued' AND next.tenant_id > waiting.tenant_id
      ORDER BY next.tenant_id LIMIT 1) FROM waiting WHERE waiting.tenant_id IS NOT NULL),
  busy AS (SELECT tenant_id, count(*) AS n FROM runs
    WHERE status = 'running' AND NOT foreground AND lease_expires_at >= clock_timestamp() GROUP BY tenant_id),
  candidates AS (
    SELECT tenant_id AS t, id AS i, 0 AS turn, lease_expires_at AS since FROM runs
      WHERE $4 AND status = 'running' AND lease_expires_at < clock_timestamp()
    UNION ALL
    SELECT waiting.tenant_id, own.id, own.place + coalesce(busy.n, 0), own.available_at
      FROM waiting LEFT JOIN busy ON busy.tenant_id = waiting.tenant_id CROSS JOIN LATERAL (
        SELECT id, available_at, row_number() OVER (ORDER BY available_at) AS place FROM runs
        WHERE runs.tenant_id = waiting.tenant_id AND status = 'queued' AND available_at <= clock_timestamp()
        ORDER BY available_at LIMIT $3) own),
  free AS (
    SELECT t, i FROM candidates JOIN runs ON runs.tenant_id = t AND runs.id = i
    WHERE (runs.status = 'queued' AND runs.available_at <= clock_timestamp())
      OR (runs.status = 'running' AND runs.lease_expires_at < clock_timestamp())
    ORDER BY turn, since LIMIT $2 FOR UPDATE OF runs SKIP LOCKED)
  UPDATE runs SET fence = runs.fence + 1, status = 'running', foreground = false, lease_node = $1, lease_expires_at = ${lease}
  FROM free WHERE runs.tenant_id = t AND runs.id = i RETURNING ${runColumns}`;

/**
 * Takes runs that nobody holds, each with a fence of its own: first (with `lost`) those whose holder fell silent, then queued ones, round and
 * round the tenants: next is always the oldest of the tenant with the fewest runs under way in background. For the service door
 * `lease_keeper`.
 */
export function claimRuns(tx: Tx, nodeId: string, limit: number, lost: boolean): Promise<Run[]> {
  return tx.prepared<Run>('runs-claim', claimSql, [nodeId, limit, limit + margin, lost]);
}
