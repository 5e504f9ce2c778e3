import type { Doors, Tx } from '#kernel/database';

import type { MarginSum, UsagePort, UsageTotals } from './ports.ts';

type Summed = { type: string; values: (string | null)[]; kind: 'quantity' | 'price' | 'rows'; name: string; sum: string };

/** The port over real usage rows, as metering is to offer it: one pass over the tenant's rows of the time. */
export class UsageOfRows implements UsagePort {
  readonly #db: Pick<Doors, 'forTenant' | 'forPlatform'>;

  constructor(db: Pick<Doors, 'forTenant' | 'forPlatform'>) {
    this.#db = db;
  }

  /** See the port. */
  async totals(tenantId: string, from: string, to: string, dimensions: readonly string[]): Promise<UsageTotals[]> {
    const rows = await this.#db.forTenant(tenantId, (tx) => readTotals(tx, tenantId, from, to, dimensions));
    const sums = new Map<string, { -readonly [K in keyof UsageTotals]: Record<string, string> & UsageTotals[K] }>();
    for (const { type, values, kind, name, sum } of rows) {
      const key = JSON.stringify([type, values]);
      const named = dimensions.flatMap((dimension, i) => (values[i] ? [[dimension, values[i]]] : []));
      const one =
        sums.get(key) ??
        ({ type, dimensions: Object.fromEntries(named), quantities: {}, prices: {}, rows: 0 } as never as Parameters<
          typeof sums.set
        >[1]);
      if (kind === 'rows') one.rows = Number(sum) as never;
      else (kind === 'price' ? one.prices : one.quantities)[name] = sum;
      sums.set(key, one);
    }
    return [...sums.values()];
  }

  /** See the port. */
  async count(tenantId: string, from: string, to: string): Promise<number> {
    const { count } = await this.#db.forTenant(tenantId, (tx) =>
      tx.one<{ count: number }>(
        "SELECT count(*) FROM usage WHERE tenant_id = $1 AND at >= $2 AND at < $3 AND mode = 'live'",
        [tenantId, from, to],
      ),
    );
    return count;
  }

  /** See the port. */
  margins(filter: { from: string; to: string; tenantId?: string; includeDemo: boolean }): Promise<MarginSum[]> {
    return this.#db.forPlatform((tx) =>
      tx.query<MarginSum>(
        `SELECT tenant_id, dimensions->>'agent' AS agent_id, m.currency,
           trim_scale(sum(m.price))::text AS price, trim_scale(sum(m.cost))::text AS cost
         FROM usage, LATERAL (
           SELECT currency, price, 0::numeric AS cost WHERE mode = 'live' AND price IS NOT NULL
           UNION ALL SELECT cost_currency, 0, cost WHERE cost IS NOT NULL) m
         WHERE at >= $1 AND at < $2 AND ($3::uuid IS NULL OR tenant_id = $3) AND ($4 OR NOT demo)
         GROUP BY 1, 2, 3 ORDER BY 1, 2 NULLS FIRST, 3`,
        [filter.from, filter.to, filter.tenantId ?? null, filter.includeDemo],
      ),
    );
  }
}

function readTotals(tx: Tx, tenantId: string, from: string, to: string, dimensions: readonly string[]): Promise<Summed[]> {
  return tx.query<Summed>(
    `WITH used AS MATERIALIZED (
       SELECT type, ARRAY(SELECT dimensions->>d FROM unnest($4::text[]) WITH ORDINALITY AS n(d, i) ORDER BY i) AS "values",
         quantities, price, currency
       FROM usage WHERE tenant_id = $1 AND at >= $2 AND at < $3 AND mode = 'live')
     SELECT type, "values", 'rows' AS kind, '' AS name, count(*)::text AS sum FROM used GROUP BY type, "values"
     UNION ALL
     SELECT type, "values", 'price', currency, trim_scale(sum(price))::text FROM used WHERE price IS NOT NULL GROUP BY type, "values", currency
     UNION ALL
     SELECT type, "values", 'quantity', q.key, trim_scale(sum(q.value::numeric))::text FROM used, jsonb_each_text(quantities) q
     GROUP BY type, "values", q.key`,
    [tenantId, from, to, dimensions],
  );
}
