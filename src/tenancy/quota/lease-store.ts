import { type ArrayValues, binaryArray } from '#kernel/binary-arrays';
import type { Statement, Tx } from '#kernel/database';

import { type Granted, type Lease, type LeaseName, parseLeaseId } from './lease.ts';
import type { LeaseCharge } from './reservation.ts';
import { shareOf, type Want } from './share-remaining.ts';

/** The channel on which nodes ask each other for leases back; only the lease keeper notifies, outside hot transactions. */
export const leaseChannel = 'lintel_leases';

/** A node that did not renew for this long takes no part in sharing any more (its leases stay blocked until they run out). */
const silentMs = 6_000;

/**
 * Renews a holder for `runMs` of database time and ends those whose time is over. `alive` false: this one was ended before; a
 * new life has to begin. `nodes`: how many holders renewed lately.
 */
export async function renewHolder(
  tx: Tx,
  holder: { holderId: string; nodeId: string; first: boolean },
  runMs: number,
): Promise<{ alive: boolean; nodes: number }> {
  if (holder.first) {
    await tx.execute(
      'INSERT INTO lease_holders (holder_id, node_id, expires_at) VALUES ($1, $2, clock_timestamp()) ON CONFLICT DO NOTHING',
      [holder.holderId, holder.nodeId],
    );
  }
  const renewed = await tx.prepared(
    'quota-renew',
    `UPDATE lease_holders SET expires_at = clock_timestamp() + $2 * interval '1 ms' WHERE holder_id = $1 AND NOT ended RETURNING 1 AS one`,
    [holder.holderId, runMs],
  );
  // `ended` is the one truth: whoever sees it false counts the leases as blocked, so a renewal can never come too late.
  const [row] = await tx.prepared<{ nodes: number }>(
    'quota-sweep',
    `WITH over AS (UPDATE lease_holders SET ended = true WHERE NOT ended AND expires_at <= clock_timestamp() AND holder_id <> $1)
     SELECT count(*) AS nodes FROM lease_holders
     WHERE NOT ended AND expires_at > clock_timestamp() + ($2 - ${silentMs}) * interval '1 ms'`,
    [holder.holderId, runMs],
  );
  return { alive: renewed.length > 0, nodes: Math.max(1, row?.nodes ?? 1) };
}

/** Ends a holder by its own will: what it did not use is free at once. */
export async function endHolder(tx: Tx, holderId: string): Promise<void> {
  await tx.execute('UPDATE lease_holders SET ended = true WHERE holder_id = $1', [holderId]);
}

/**
 * Grows leases, each by its share of what remains, and ends the transaction. The limits are locked one after the other in the order of their keys, so
 * that what is read after is what is written on, and no two nodes wait for each other.
 */
export async function growLeases(tx: Tx, wants: ReadonlyMap<Lease, Want>, nodes: number): Promise<Granted[]> {
  const leases = [...wants.keys()];
  const ids = [...new Set(leases.map(({ limit }) => limit.id))];
  // Each statement sees what was committed when it begins: the second one after the locks are held.
  const locked = tx.prepared(
    'quota-lock',
    `SELECT count(pg_advisory_xact_lock(key)) FROM (
       SELECT DISTINCT hashtextextended(id::text, 721654) AS key FROM unnest($1::uuid[]) id ORDER BY 1 OFFSET 0) keys`,
    [ids],
  );
  const standing = tx.prepared<{
    n: number;
    amount: number | null;
    used: number;
    blocked: number;
    ownGranted: number | null;
    ownUsed: number | null;
  }>(
    'quota-standing',
    `SELECT w.n, l.amount,
       coalesce(sum(x.used), 0)::bigint AS used,
       coalesce(sum(CASE WHEN o.own THEN 0 WHEN h.ended IS FALSE THEN greatest(x.granted, x.used) ELSE x.used END), 0)::bigint AS blocked,
       max(x.granted) FILTER (WHERE o.own) AS own_granted,
       max(x.used) FILTER (WHERE o.own) AS own_used
     FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::uuid[])
       WITH ORDINALITY AS w(tenant_id, limit_id, window_start, window_end, holder_id, n)
     LEFT JOIN limits l ON l.tenant_id = w.tenant_id AND l.id = w.limit_id AND l.enabled
     -- Windows that overlap count together: a changed time zone gives nothing twice.
     LEFT JOIN leases x ON x.tenant_id = w.tenant_id AND x.limit_id = w.limit_id
       AND x.window_end > w.window_start AND x.window_start < w.window_end
     LEFT JOIN lease_holders h ON h.holder_id = x.holder_id
     LEFT JOIN LATERAL (SELECT x.holder_id = w.holder_id AND x.window_start = w.window_start AS own) o ON true
     GROUP BY w.n, l.amount`,
    columns(leases),
  );
  const [rows] = await Promise.all([standing, locked]);
  const results: Granted[] = [];
  for (const row of rows) {
    const lease = leases[row.n - 1] as Lease;
    const want = wants.get(lease) as Want;
    if (row.amount === null) {
      results.push({ lease, limit: 'gone' });
      continue;
    }
    // A lease held here knows what it was granted; one taken up again begins after all it has used.
    const base = lease.granted ?? Math.max(row.ownGranted ?? 0, row.ownUsed ?? 0);
    const remaining = row.amount - row.blocked - base;
    results.push({ lease, base, amount: shareOf(want, remaining, nodes), unused: row.amount - row.used });
  }
  const grants = grantsOf(results);
  if (grants !== undefined) await tx.commitWith(grants);
  return results;
}

/** Writes down what leases were granted; undefined when nothing was. */
function grantsOf(results: readonly Granted[]): Statement | undefined {
  const grown = results.flatMap((each) => ('base' in each && each.amount > 0 ? [each] : []));
  if (grown.length === 0) return undefined;
  return {
    name: 'quota-grow',
    text: `INSERT INTO leases (tenant_id, limit_id, window_start, window_end, holder_id, granted)
       SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::uuid[], $6::bigint[])
       ON CONFLICT (tenant_id, limit_id, window_start, holder_id) DO UPDATE SET granted = excluded.granted`,
    values: [...columns(grown.map(({ lease }) => lease)), grown.map(({ base, amount }) => base + amount)],
  };
}

/** Writes down what leases have given back. */
export function shrinkLeases(leases: readonly { lease: Lease; granted: number }[]): Statement {
  return {
    name: 'quota-shrink',
    text: `UPDATE leases l SET granted = v.granted
     FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::uuid[], $6::bigint[])
       AS v(tenant_id, limit_id, window_start, window_end, holder_id, granted)
     WHERE (l.tenant_id, l.limit_id, l.window_start, l.holder_id) = (v.tenant_id, v.limit_id, v.window_start, v.holder_id)
       AND l.granted > v.granted`,
    values: [...columns(leases.map(({ lease }) => lease)), leases.map(({ granted }) => granted)],
  };
}

/** Asks the other holders of these limits to give back what they have free. */
export async function askBack(tx: Tx, limitIds: readonly string[], holderId: string): Promise<void> {
  await tx.query(`SELECT pg_notify('${leaseChannel}', id || ' ' || $2) FROM unnest($1::text[]) id`, [
    limitIds,
    holderId,
  ]);
}

/** Adds used amounts to their leases; one whose row is gone gets it back: the sum of `used` is the counter, late or not. */
export function chargeLeases(charges: readonly LeaseCharge[]): Statement {
  const sums = new Map<string, bigint>();
  for (const { leaseId, amount } of charges) sums.set(leaseId, (sums.get(leaseId) ?? 0n) + amount);
  // In one order everywhere, so that two writers never wait for each other.
  const ids = [...sums.keys()].sort();
  return {
    name: 'quota-charge',
    text: `INSERT INTO leases AS l (tenant_id, limit_id, window_start, window_end, holder_id, used)
     SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::uuid[], $6::bigint[])
     ON CONFLICT (tenant_id, limit_id, window_start, holder_id) DO UPDATE SET used = l.used + excluded.used`,
    values: [
      ...nameColumns(ids.map(parseLeaseId)),
      binaryArray('bigint', ids.length, (index) => sums.get(ids[index] as string) as bigint),
    ],
  };
}

/** Those of the leases whose holder has ended, or whose row is gone. */
export async function endedLeases(tx: Tx, leaseIds: readonly string[]): Promise<Set<string>> {
  const rows = await tx.query<{ n: number }>(
    `SELECT w.n FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::uuid[])
       WITH ORDINALITY AS w(tenant_id, limit_id, window_start, window_end, holder_id, n)
     WHERE NOT EXISTS (SELECT FROM leases l JOIN lease_holders h USING (holder_id)
       WHERE (l.tenant_id, l.limit_id, l.window_start, l.holder_id) = (w.tenant_id, w.limit_id, w.window_start, w.holder_id)
         AND NOT h.ended)`,
    nameColumns(leaseIds.map(parseLeaseId)),
  );
  return new Set(rows.map(({ n }) => leaseIds[n - 1] as string));
}

/** Deletes what nothing asks for any more: leases of windows that ended 40 days ago or of deleted limits, holders without leases. */
export async function pruneLeases(tx: Tx, now: string): Promise<void> {
  await tx.execute(
    `DELETE FROM leases l USING lease_holders h WHERE h.holder_id = l.holder_id AND h.ended
       AND h.expires_at < $1::timestamptz - interval '2 days'
       AND (l.window_end < $1::timestamptz - interval '40 days'
         OR NOT EXISTS (SELECT FROM limits m WHERE m.tenant_id = l.tenant_id AND m.id = l.limit_id))`,
    [now],
  );
  await tx.execute(
    `DELETE FROM lease_holders h WHERE ended AND expires_at < $1::timestamptz - interval '2 days'
       AND NOT EXISTS (SELECT FROM leases l WHERE l.holder_id = h.holder_id)`,
    [now],
  );
  for (const table of ['rate_buckets', 'rate_demands']) {
    await tx.execute(`DELETE FROM ${table} WHERE at < $1::timestamptz - interval '1 day'`, [now]);
  }
}

/** What a node was asked for under a requests-per-second limit since it last reported, and what it let through. */
export type RateReport = {
  tenantId: string;
  limitId: string;
  /** Per second. */
  rate: number;
  burst: number;
  /** Requests per second that came, let through or not. */
  demand: number;
  consumed: number;
};

/** Level of the common token bucket after a report, and the demand of all nodes. */
export type RateStanding = { limitId: string; level: number; demand: number };

/** Reports to the common buckets and reads where they stand. Rows are written in one order: reporters never wait crosswise. */
export async function reportRates(tx: Tx, reports: readonly RateReport[], holderId: string): Promise<RateStanding[]> {
  const sorted = [...reports].sort((a, b) => (a.limitId < b.limitId ? -1 : 1));
  const ids = [sorted.map((each) => each.tenantId), sorted.map((each) => each.limitId)];
  await tx.prepared(
    'quota-rate-demand',
    `INSERT INTO rate_demands (tenant_id, limit_id, holder_id, demand, at)
     SELECT t, l, $3, d, clock_timestamp() FROM unnest($1::uuid[], $2::uuid[], $4::double precision[]) AS r(t, l, d)
     ON CONFLICT (tenant_id, limit_id, holder_id) DO UPDATE SET demand = excluded.demand, at = excluded.at`,
    [...ids, holderId, sorted.map(({ demand }) => demand)],
  );
  return tx.prepared<RateStanding>(
    'quota-rate-level',
    `WITH standing AS (
       INSERT INTO rate_buckets AS b (tenant_id, limit_id, level, at)
       SELECT t, l, burst - consumed, clock_timestamp()
       FROM unnest($1::uuid[], $2::uuid[], $4::double precision[], $5::double precision[], $6::double precision[])
         AS r(t, l, rate, burst, consumed)
       ON CONFLICT (tenant_id, limit_id) DO UPDATE SET at = excluded.at, level = greatest(
         -2 * (SELECT rate FROM unnest($2::uuid[], $4::double precision[]) AS q(l, rate) WHERE q.l = b.limit_id),
         least(
           (SELECT burst FROM unnest($2::uuid[], $5::double precision[]) AS q(l, burst) WHERE q.l = b.limit_id),
           b.level + greatest(0, extract(epoch FROM excluded.at - b.at))
             * (SELECT rate FROM unnest($2::uuid[], $4::double precision[]) AS q(l, rate) WHERE q.l = b.limit_id)
         ) - (SELECT consumed FROM unnest($2::uuid[], $6::double precision[]) AS q(l, consumed) WHERE q.l = b.limit_id))
       RETURNING tenant_id, limit_id, level)
     SELECT s.limit_id, s.level, coalesce((SELECT sum(demand) FROM rate_demands d
       WHERE d.tenant_id = s.tenant_id AND d.limit_id = s.limit_id AND d.holder_id <> $3
         AND d.at > clock_timestamp() - interval '3 seconds'), 0) AS demand
     FROM standing s`,
    [
      ...ids,
      holderId,
      sorted.map(({ rate }) => rate),
      sorted.map(({ burst }) => burst),
      sorted.map(({ consumed }) => consumed),
    ],
  );
}

function columns(leases: readonly Lease[]): unknown[] {
  return nameColumns(leases.map(({ id }) => parseLeaseId(id)));
}

function nameColumns(names: readonly LeaseName[]): Buffer[] {
  const column = <T extends 'uuid' | 'timestamptz'>(type: T, of: (name: LeaseName) => ArrayValues[T]) =>
    binaryArray<T>(type, names.length, (index) => of(names[index] as LeaseName));
  return [
    column('uuid', ({ tenantId }) => tenantId),
    column('uuid', ({ limitId }) => limitId),
    column('timestamptz', ({ windowStart }) => windowStart),
    column('timestamptz', ({ windowEnd }) => windowEnd),
    column('uuid', ({ holderId }) => holderId),
  ];
}
