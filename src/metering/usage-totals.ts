import type { Tx } from '#kernel/database';

/** Live usage summed for one type and one combination of dimensions. Amounts are decimal strings. */
export type UsageTotals = {
  type: string;
  dimensions: Record<string, string>;
  quantities: Record<string, string>;
  rows: number;
  /** Sums of the rows' list prices by currency. */
  prices: Record<string, string>;
};

/** What a tenant's agent (null: calls without one) brought and cost in a currency. */
export type MarginSum = { tenantId: string; agentId: string | null; currency: string; price: string; cost: string };

/** Sums a tenant's live usage of `from` ≤ at < `to`, kept apart by the named dimensions. Test usage is never in it. */
export function readTotals(
  tx: Tx,
  tenantId: string,
  from: string,
  to: string,
  dimensions: readonly string[],
): Promise<UsageTotals[]> {
  return tx.query<UsageTotals>(
    `WITH picked AS MATERIALIZED (
       SELECT type, quantities, price, currency,
         (SELECT coalesce(jsonb_object_agg(name, dimensions -> name), '{}') FROM unnest($4::text[]) AS name WHERE dimensions ? name) AS dimensions
       FROM usage WHERE tenant_id = $1 AND at >= $2 AND at < $3 AND mode = 'live'
     ), groups AS (
       SELECT type, dimensions, count(*) AS rows FROM picked GROUP BY type, dimensions
     ), amounts AS (
       SELECT type, dimensions, jsonb_object_agg(name, amount::text) AS quantities FROM (
         SELECT type, dimensions, each.key AS name, sum(each.value::numeric) AS amount FROM picked, jsonb_each_text(picked.quantities) AS each GROUP BY 1, 2, 3
       ) AS by_name GROUP BY type, dimensions
     ), money AS (
       SELECT type, dimensions, jsonb_object_agg(currency, amount::text) AS prices FROM (
         SELECT type, dimensions, currency, sum(price) AS amount FROM picked WHERE price IS NOT NULL GROUP BY 1, 2, 3
       ) AS by_currency GROUP BY type, dimensions
     )
     SELECT g.type, g.dimensions, coalesce(a.quantities, '{}') AS quantities, g.rows, coalesce(m.prices, '{}') AS prices
     FROM groups g LEFT JOIN amounts a ON a.type = g.type AND a.dimensions = g.dimensions
     LEFT JOIN money m ON m.type = g.type AND m.dimensions = g.dimensions ORDER BY g.type, g.dimensions`,
    [tenantId, from, to, dimensions],
  );
}

/** How many rows {@link readTotals} would sum. */
export async function countUsage(tx: Tx, tenantId: string, from: string, to: string): Promise<number> {
  const { rows } = await tx.one<{ rows: number }>(
    `SELECT count(*) AS rows FROM usage WHERE tenant_id = $1 AND at >= $2 AND at < $3 AND mode = 'live'`,
    [tenantId, from, to],
  );
  return rows;
}

/** List prices of live usage beside what providers charge the platform (test usage too), by tenant, agent and currency. */
export function readMargins(
  tx: Tx,
  filter: { from: string; to: string; tenantId?: string; includeDemo: boolean },
): Promise<MarginSum[]> {
  return tx.query<MarginSum>(
    `SELECT tenant_id, agent_id, currency, coalesce(sum(price), 0)::text AS price, coalesce(sum(cost), 0)::text AS cost FROM (
       SELECT tenant_id, dimensions ->> 'agent' AS agent_id, currency, CASE WHEN mode = 'live' THEN price END AS price, NULL::numeric AS cost, demo, at FROM usage WHERE currency IS NOT NULL
       UNION ALL
       SELECT tenant_id, dimensions ->> 'agent', cost_currency, NULL, cost, demo, at FROM usage WHERE cost_currency IS NOT NULL
     ) AS sums WHERE at >= $1 AND at < $2 AND ($3::uuid IS NULL OR tenant_id = $3) AND ($4 OR NOT demo)
     GROUP BY tenant_id, agent_id, currency ORDER BY tenant_id, agent_id NULLS FIRST, currency`,
    [filter.from, filter.to, filter.tenantId ?? null, filter.includeDemo],
  );
}
