import type { Tx } from '#kernel/database';

import type { PlanPrice } from './rate-usage.ts';

/** A plan in one of its versions. `newest` is the plan's last version; the fee is per month, a decimal string. */
export type PlanRow = {
  id: string;
  version: number;
  newest: number;
  name: string;
  currency: string;
  demo: boolean;
  isDefault: boolean;
  prices: PlanPrice[];
  recurringFee: string | null;
  createdAt: string;
};

/** What a tenant is on for a time; `untilAt` null: open. Times are ISO 8601 UTC. */
export type SubscriptionRow = {
  tenantId: string;
  id: string;
  planId: string;
  planVersion: number;
  fromAt: string;
  untilAt: string | null;
};

const planColumns = `p.id, v.version, p.version AS newest, p.name, p.currency, p.demo, p.is_default, v.prices,
  trim_scale(v.recurring_fee)::text AS recurring_fee, v.created_at`;
const subscriptionColumns = 'tenant_id, id, plan_id, plan_version, from_at, until_at';

/** Every version of the given plans, or of all. */
export function readPlanVersions(tx: Tx, ids: readonly string[] | undefined): Promise<PlanRow[]> {
  return tx.query<PlanRow>(
    `SELECT ${planColumns} FROM plans p JOIN plan_versions v ON v.plan_id = p.id
     WHERE $1::uuid[] IS NULL OR p.id = ANY ($1) ORDER BY p.id, v.version`,
    [ids ?? null],
  );
}

/** A plan in its newest version: held as it is for a subscription to it, or locked for a change. */
export async function lockPlan(tx: Tx, id: string, strength: 'SHARE' | 'UPDATE'): Promise<PlanRow | undefined> {
  const locked = await tx.maybe(`SELECT 1 FROM plans WHERE id = $1 FOR ${strength}`, [id]);
  return locked === undefined ? undefined : newestPlan(tx, id);
}

/** A plan in its newest version. */
export function newestPlan(tx: Tx, id: string): Promise<PlanRow | undefined> {
  return tx.maybe<PlanRow>(
    `SELECT ${planColumns} FROM plans p JOIN plan_versions v ON v.plan_id = p.id AND v.version = p.version WHERE p.id = $1`,
    [id],
  );
}

/** The plan that new tenants of a currency get. */
export function defaultPlan(tx: Tx, currency: string, demo: boolean): Promise<PlanRow | undefined> {
  return tx.maybe<PlanRow>(
    `SELECT ${planColumns} FROM plans p JOIN plan_versions v ON v.plan_id = p.id AND v.version = p.version
     WHERE p.is_default AND p.currency = $1 AND p.demo = $2`,
    [currency, demo],
  );
}

/** Plans in their newest version, newest first, those before the id `before`. */
export function readPlans(tx: Tx, before: string | undefined, limit: number): Promise<PlanRow[]> {
  return tx.query<PlanRow>(
    `SELECT ${planColumns} FROM plans p JOIN plan_versions v ON v.plan_id = p.id AND v.version = p.version
     WHERE $1::uuid IS NULL OR p.id < $1 ORDER BY p.id DESC LIMIT $2`,
    [before ?? null, limit + 1],
  );
}

/** Inserts a plan with its first version. False when it was to be the default plan of its currency and another one is. */
export async function insertPlan(tx: Tx, plan: Omit<PlanRow, 'newest'>): Promise<boolean> {
  const inserted = await tx.execute(
    `INSERT INTO plans (id, version, name, currency, demo, is_default, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT DO NOTHING`,
    [plan.id, plan.version, plan.name, plan.currency, plan.demo, plan.isDefault, plan.createdAt],
  );
  if (inserted === 1) await insertPlanVersion(tx, plan);
  return inserted === 1;
}

/** Inserts a further version of a plan. */
export async function insertPlanVersion(
  tx: Tx,
  plan: Pick<PlanRow, 'id' | 'version' | 'prices' | 'recurringFee' | 'createdAt'>,
): Promise<void> {
  await tx.execute(
    'INSERT INTO plan_versions (plan_id, version, prices, recurring_fee, created_at) VALUES ($1, $2, $3, $4, $5)',
    [plan.id, plan.version, JSON.stringify(plan.prices), plan.recurringFee, plan.createdAt],
  );
}

/** Writes what a plan is beside its versions. */
export async function writePlan(tx: Tx, plan: Pick<PlanRow, 'id' | 'version' | 'name' | 'isDefault'>): Promise<void> {
  await tx.execute('UPDATE plans SET version = $2, name = $3, is_default = $4 WHERE id = $1', [
    plan.id,
    plan.version,
    plan.name,
    plan.isDefault,
  ]);
}

/** Makes room for another default plan of a currency; who else wants to waits until the transaction ends. */
export async function dropDefault(tx: Tx, currency: string, demo: boolean): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock(721654905, hashtext($1))', [currency]);
  await tx.execute('UPDATE plans SET is_default = false WHERE is_default AND currency = $1 AND demo = $2', [
    currency,
    demo,
  ]);
}

/** Subscriptions that are open, or end after one that is open began: what may be in force now. Of the given tenants, or all. */
export function readCurrentSubscriptions(tx: Tx, tenantIds: readonly string[] | undefined): Promise<SubscriptionRow[]> {
  return tx.query<SubscriptionRow>(
    `SELECT ${subscriptionColumns} FROM (
       SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY from_at DESC) AS age FROM subscriptions
       WHERE $1::uuid[] IS NULL OR tenant_id = ANY ($1)) s
     WHERE age <= 2 ORDER BY tenant_id, from_at`,
    [tenantIds ?? null],
  );
}

/** A tenant's subscriptions in order of time. */
export function readSubscriptions(tx: Tx, tenantId: string): Promise<SubscriptionRow[]> {
  return tx.query<SubscriptionRow>(
    `SELECT ${subscriptionColumns} FROM subscriptions WHERE tenant_id = $1 ORDER BY from_at`,
    [tenantId],
  );
}

/** Puts a tenant on a plan version from an instant on: what was to come then goes, what was in force ends there. */
export async function replaceSubscription(tx: Tx, row: Omit<SubscriptionRow, 'untilAt'>, now: string): Promise<void> {
  await tx.execute('SELECT pg_advisory_xact_lock(721654904, hashtext($1))', [row.tenantId]);
  await tx.execute('DELETE FROM subscriptions WHERE tenant_id = $1 AND from_at >= $2', [row.tenantId, row.fromAt]);
  await tx.execute(
    'UPDATE subscriptions SET until_at = $2 WHERE tenant_id = $1 AND (until_at IS NULL OR until_at > $2)',
    [row.tenantId, row.fromAt],
  );
  await insertSubscriptions(tx, [{ ...row, untilAt: null }], now);
}

/** Puts a tenant on its first plan; false when it has one. */
export async function insertFirstSubscription(
  tx: Tx,
  row: Omit<SubscriptionRow, 'untilAt'>,
  now: string,
): Promise<boolean> {
  await tx.execute('SELECT pg_advisory_xact_lock(721654904, hashtext($1))', [row.tenantId]);
  if ((await readSubscriptions(tx, row.tenantId)).length > 0) return false;
  await insertSubscriptions(tx, [{ ...row, untilAt: null }], now);
  return true;
}

/** Deletes a tenant's subscriptions. */
export async function eraseSubscriptions(tx: Tx, tenantId: string): Promise<void> {
  await tx.execute('DELETE FROM subscriptions WHERE tenant_id = $1', [tenantId]);
}

/** The subscriptions to a plan that are in force after an instant, locked. */
export function lockSubscribers(tx: Tx, planId: string, now: string): Promise<SubscriptionRow[]> {
  return tx.query<SubscriptionRow>(
    `SELECT ${subscriptionColumns} FROM subscriptions
     WHERE plan_id = $1 AND (until_at IS NULL OR until_at > $2) ORDER BY tenant_id, from_at FOR UPDATE`,
    [planId, now],
  );
}

/** Moves subscriptions to another version of their plan from an instant on; `successors` take the place of those that have begun. */
export async function moveSubscribers(
  tx: Tx,
  version: number,
  successors: readonly SubscriptionRow[],
  begun: readonly SubscriptionRow[],
  toCome: readonly SubscriptionRow[],
  now: string,
): Promise<void> {
  const update = (set: string, rows: readonly SubscriptionRow[], value: unknown) =>
    tx.execute(
      `UPDATE subscriptions s SET ${set} = $3 FROM unnest($1::uuid[], $2::uuid[]) AS r(tenant_id, id)
       WHERE s.tenant_id = r.tenant_id AND s.id = r.id`,
      [rows.map((row) => row.tenantId), rows.map((row) => row.id), value],
    );
  await update('until_at', begun, now);
  await update('plan_version', toCome, version);
  await insertSubscriptions(tx, successors, now);
}

async function insertSubscriptions(tx: Tx, rows: readonly SubscriptionRow[], now: string): Promise<void> {
  await tx.execute(
    `INSERT INTO subscriptions (tenant_id, id, plan_id, plan_version, from_at, until_at, created_at)
     SELECT r.tenant_id, r.id, r.plan_id, r.plan_version, r.from_at, r.until_at, $2
     FROM json_to_recordset($1) AS r(tenant_id uuid, id uuid, plan_id uuid, plan_version integer, from_at timestamptz, until_at timestamptz)`,
    [
      JSON.stringify(
        rows.map((row) => ({
          tenant_id: row.tenantId,
          id: row.id,
          plan_id: row.planId,
          plan_version: row.planVersion,
          from_at: row.fromAt,
          until_at: row.untilAt,
        })),
      ),
      now,
    ],
  );
}
