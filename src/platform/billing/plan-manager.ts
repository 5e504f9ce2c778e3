import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { problems as kernelProblems, notFound, Problem } from '#kernel/problem';
import { platformTenantId } from '#tenancy';

import { checkPlan, type PlanInput } from './check-plan.ts';
import { defaultPlanOf, firstPlans } from './default-plans.ts';
import {
  defaultPlan,
  dropDefault,
  eraseSubscriptions,
  insertFirstSubscription,
  insertPlan,
  insertPlanVersion,
  lockPlan,
  lockSubscribers,
  moveSubscribers,
  newestPlan,
  type PlanRow,
  readPlans,
  readPlanVersions,
  readSubscriptions,
  replaceSubscription,
  type SubscriptionRow,
  writePlan,
} from './store.ts';

/** What a new version of a plan changes; what is absent stays. */
export type PlanChange = {
  name?: string;
  isDefault?: boolean;
  recurringFee?: string | null;
  prices?: readonly (PlanInput['prices'][number] & { id?: string })[];
  /** Who gets the new version: all subscribers from now on, or only those who subscribe later. */
  appliesTo?: 'all' | 'new';
};

/** A tenant that is to have its first plan. */
export type NewSubscriber = { id: string; currency: string; demo: boolean };

/** A subscription with its plan in the version subscribed to. */
export type SubscribedPlan = { subscription: SubscriptionRow; plan: PlanRow };

/** Plans in their versions, and who is on which. */
export class PlanManager {
  readonly #db: Doors;
  readonly #clock: Clock;

  constructor(deps: { db: Doors; clock: Clock }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
  }

  /** Makes a plan in its first version; 400 with the places when a price cannot be rated. */
  async createPlan(input: PlanInput, cause: Cause): Promise<PlanRow> {
    const plan = this.#drafted(input);
    await this.#db.forPlatform(async (tx) => {
      if (plan.isDefault) await dropDefault(tx, plan.currency, plan.demo);
      if (!(await insertPlan(tx, plan)))
        throw new Problem(kernelProblems.conflict, { detail: 'Another plan became the default one at this moment.' });
      await this.#tellPlan(tx, 'created', plan, cause, { after: shownIn(plan) });
    });
    return plan;
  }

  /** Makes a new version of a plan; 404. Its currency stays. Prices are given as a whole; one that keeps its `id` is the same price. */
  changePlan(id: string, change: PlanChange, cause: Cause): Promise<PlanRow> {
    return this.#db.forPlatform(async (tx) => {
      const before = await lockPlan(tx, id, 'UPDATE');
      if (before === undefined) throw notFound('plan');
      const { appliesTo = 'all', ...changed } = change;
      const version = before.version + 1;
      const after: PlanRow = {
        ...before,
        ...changed,
        version,
        newest: version,
        prices: checkPlan({ ...before, ...changed }, before.prices),
        createdAt: this.#now(),
      };
      if (after.isDefault && !before.isDefault) await dropDefault(tx, after.currency, after.demo);
      await insertPlanVersion(tx, after);
      await writePlan(tx, after);
      const moved = appliesTo === 'all' ? await this.#move(tx, after) : 0;
      await this.#tellPlan(tx, 'changed', after, cause, { before: shownIn(before), after: shownIn(after), moved });
      return after;
    });
  }

  /** Plans in their newest version, newest first. */
  async listPlans(before: string | undefined, limit: number): Promise<Page<PlanRow>> {
    const rows = await this.#db.forPlatform((tx) => readPlans(tx, before, limit));
    return pageOf(rows, limit, ({ id }) => [id]);
  }

  /** A plan in its newest version; 404. */
  async getPlan(id: string): Promise<PlanRow> {
    const plan = await this.#db.forPlatform((tx) => newestPlan(tx, id));
    if (plan === undefined) throw notFound('plan');
    return plan;
  }

  /** A tenant's subscriptions in order of time, with their plans; through the tenant's own door when it asks itself. */
  subscriptionsOf(tenantId: string, as: 'tenant' | 'platform'): Promise<SubscribedPlan[]> {
    const read = async (tx: Tx) => {
      const subscriptions = await readSubscriptions(tx, tenantId);
      const plans = await readPlanVersions(tx, [...new Set(subscriptions.map(({ planId }) => planId))]);
      return subscriptions.flatMap((subscription) => {
        const { planId, planVersion } = subscription;
        const plan = plans.find(({ id, version }) => id === planId && version === planVersion);
        return plan === undefined ? [] : [{ subscription, plan }];
      });
    };
    return as === 'tenant' ? this.#db.forTenant(tenantId, read) : this.#db.forPlatform(read);
  }

  /** Puts a tenant on a plan, in its newest version, from an instant on; 404. */
  subscribe(
    tenant: { id: string; demo: boolean },
    planId: string,
    from: Temporal.Instant,
    cause: Cause,
  ): Promise<SubscribedPlan> {
    return this.#db.forPlatform(async (tx) => {
      const plan = await lockPlan(tx, planId, 'SHARE');
      if (plan === undefined) throw notFound('plan');
      const before = (await readSubscriptions(tx, tenant.id)).at(-1);
      const row = this.#subscription(tenant.id, plan, from.toString());
      await replaceSubscription(tx, row, this.#now());
      const subscription = { ...row, untilAt: null };
      await this.#tellSubscription(tx, tenant.demo, subscription, plan, before, cause);
      return { subscription, plan };
    });
  }

  /** Puts a tenant that is on no plan on the default one of its currency; does nothing else. */
  ensureSubscription(tenant: NewSubscriber, from: string, cause: Cause): Promise<void> {
    return this.#db.forPlatform((tx) => this.ensureSubscriptionIn(tx, tenant, from, cause));
  }

  /** As {@link ensureSubscription}, in the transaction that makes the tenant: it is never without a plan. */
  async ensureSubscriptionIn(tx: Tx, tenant: NewSubscriber, from: string, cause: Cause): Promise<void> {
    const id = await this.#ensureDefaultIn(tx, tenant.currency, tenant.demo, cause);
    const plan = (await lockPlan(tx, id, 'SHARE')) as PlanRow;
    const row = this.#subscription(tenant.id, plan, from);
    if (!(await insertFirstSubscription(tx, row, this.#now()))) return;
    await this.#tellSubscription(tx, tenant.demo, { ...row, untilAt: null }, plan, undefined, cause);
  }

  /** Forgets a tenant that was erased: also the plan it got after that, when it had just been made. */
  forget(tenantId: string): Promise<void> {
    return this.#db.forPlatform((tx) => eraseSubscriptions(tx, tenantId));
  }

  /** The id of the plan that new tenants of a currency get, made when there is none yet. */
  ensureDefaultPlan(currency: string, demo: boolean, cause: Cause): Promise<string> {
    return this.#db.forPlatform((tx) => this.#ensureDefaultIn(tx, currency, demo, cause));
  }

  /** Makes the plans that are there from the start: "Standard" in USD, "Demo" in USD, EUR and CNY. */
  async ensureDefaultPlans(cause: Cause): Promise<void> {
    for (const { currency, demo } of firstPlans) await this.ensureDefaultPlan(currency, demo, cause);
  }

  async #ensureDefaultIn(tx: Tx, currency: string, demo: boolean, cause: Cause): Promise<string> {
    const there = await defaultPlan(tx, currency, demo);
    if (there !== undefined) return there.id;
    const plan = this.#drafted(defaultPlanOf(currency, demo));
    if (await insertPlan(tx, plan)) {
      await this.#tellPlan(tx, 'created', plan, cause, { after: shownIn(plan) });
      return plan.id;
    }
    return ((await defaultPlan(tx, currency, demo)) as PlanRow).id;
  }

  async #move(tx: Tx, plan: PlanRow): Promise<number> {
    const now = this.#now();
    const rows = await lockSubscribers(tx, plan.id, now);
    const begun = rows.filter(({ fromAt }) => Date.parse(fromAt) < Date.parse(now));
    const toCome = rows.filter((row) => !begun.includes(row));
    const successors = begun.map((row) => ({ ...row, id: newId(), planVersion: plan.version, fromAt: now }));
    await moveSubscribers(tx, plan.version, successors, begun, toCome, now);
    return rows.length;
  }

  #drafted(input: PlanInput): PlanRow {
    const prices = checkPlan(input);
    return { ...input, id: newId(), version: 1, newest: 1, prices, createdAt: this.#now() };
  }

  #subscription(tenantId: string, plan: PlanRow, fromAt: string): Omit<SubscriptionRow, 'untilAt'> {
    return { tenantId, id: newId(), planId: plan.id, planVersion: plan.version, fromAt };
  }

  #now(): string {
    return this.#clock.now().toString();
  }

  async #tellPlan(tx: Tx, verb: string, plan: PlanRow, cause: Cause, data: Record<string, unknown>): Promise<void> {
    const subject = { kind: 'plan', id: plan.id, name: plan.name };
    await append(
      tx,
      { ...becauseOf(cause), tenantId: platformTenantId, type: `billing.plan.${verb}`, subject, data },
      this.#clock.now(),
    );
  }

  async #tellSubscription(
    tx: Tx,
    demo: boolean,
    row: SubscriptionRow,
    plan: PlanRow,
    before: SubscriptionRow | undefined,
    cause: Cause,
  ): Promise<void> {
    await append(
      tx,
      {
        ...becauseOf(cause),
        tenantId: row.tenantId,
        type: 'billing.subscription.changed',
        subject: { kind: 'subscription', id: row.id, name: plan.name },
        data: {
          before: before === undefined ? null : { plan: before.planId, version: before.planVersion },
          after: { plan: plan.id, version: plan.version, from: row.fromAt },
        },
        demo,
      },
      this.#clock.now(),
    );
  }
}

function shownIn({ version, name, currency, isDefault, recurringFee, prices }: PlanRow) {
  return { version, name, currency, isDefault, recurringFee, prices };
}
