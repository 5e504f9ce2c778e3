import type { Clock } from '#kernel/clock';
import type { Snapshot, Snapshots } from '#kernel/snapshot';

import { type ListPrice, ListPrices, type Quantities, type UnitPrices } from './list-prices.ts';
import { readCurrentSubscriptions, readPlanVersions } from './store.ts';

type Held = { readonly planId: string; readonly planVersion: number; readonly fromMs: number };

/** List prices of each tenant's plan as it is in force, from memory. */
export class CurrentPrices {
  readonly #clock: Clock;
  readonly #plans: Snapshot<ReadonlyMap<number, ListPrices>>;
  readonly #subscriptions: Snapshot<readonly [Held, ...Held[]]>;

  constructor(deps: { snapshots: Pick<Snapshots, 'define'>; clock: Clock }) {
    this.#clock = deps.clock;
    // Before the subscriptions: a version is there when the first subscription to it is.
    this.#plans = deps.snapshots.define({
      name: 'plan prices',
      on: ['billing.plan.'],
      load: async (tx, ids) => {
        const plans = new Map<string, Map<number, ListPrices>>();
        for (const plan of await readPlanVersions(tx, ids)) {
          const versions = plans.get(plan.id) ?? new Map<number, ListPrices>();
          plans.set(plan.id, versions.set(plan.version, new ListPrices(plan)));
        }
        return plans;
      },
    });
    this.#subscriptions = deps.snapshots.define({
      name: 'subscriptions',
      on: ['billing.subscription.', 'billing.plan.changed', 'tenancy.tenant.deleted'],
      touched: ({ type, tenantId }) => (type === 'billing.plan.changed' ? 'all' : [tenantId]),
      load: async (tx, tenantIds) => {
        const now = deps.clock.now().epochMilliseconds;
        const held = new Map<string, [Held, ...Held[]]>();
        for (const { tenantId, untilAt, fromAt, ...row } of await readCurrentSubscriptions(tx, tenantIds)) {
          if (untilAt !== null && Date.parse(untilAt) <= now) continue;
          const one = { ...row, fromMs: Date.parse(fromAt) };
          const others = held.get(tenantId);
          if (others === undefined) held.set(tenantId, [one]);
          else others.push(one);
        }
        return held;
      },
    });
  }

  /**
   * Price of a call's quantities at the tenant's list prices, each unit once; null when its plan prices nothing of this type with these
   * dimensions (a model without a price). Tiers and included amounts are the invoice's matter: this is the first tier's rate.
   */
  priceOf(
    tenantId: string,
    type: string,
    dimensions: Readonly<Record<string, string>>,
    quantities: Quantities,
  ): ListPrice | null {
    return this.#pricesOf(tenantId)?.priceOf(type, dimensions, quantities) ?? null;
  }

  /** List prices of one unit of each quantity; undefined when the tenant's plan prices nothing of this type with these dimensions. */
  listPrice(tenantId: string, type: string, dimensions: Readonly<Record<string, string>>): UnitPrices | undefined {
    return this.#pricesOf(tenantId)?.unitPrices(type, dimensions);
  }

  #pricesOf(tenantId: string): ListPrices | undefined {
    const held = this.#subscriptions.get(tenantId);
    if (held === undefined) return undefined;
    let [inForce] = held;
    if (held.length > 1) {
      const now = this.#clock.now().epochMilliseconds;
      for (const one of held) if (one.fromMs <= now) inForce = one;
    }
    return this.#plans.get(inForce.planId)?.get(inForce.planVersion);
  }
}
