import type { Clock } from '#kernel/clock';
import type { Tx } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import type { Snapshot, Snapshots } from '#kernel/snapshot';

import { type ListPrice, ListPrices, type Quantities, type UnitPrices } from './list-prices.ts';
import { readCurrentSubscriptions, readPlanVersions, type SubscriptionRow } from './store.ts';

type Held = { readonly prices: ListPrices; readonly fromMs: number };

/** List prices of each tenant's plan as it is in force, from memory. */
export class CurrentPrices {
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'error'>;
  readonly #subscriptions: Snapshot<readonly [Held, ...Held[]]>;
  /** By `plan:version`: a version of a plan never changes. */
  #prices = new Map<string, ListPrices>();
  readonly #told = new Set<string>();

  constructor(deps: { snapshots: Pick<Snapshots, 'define'>; clock: Clock; log: Pick<Logger, 'error'> }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#subscriptions = deps.snapshots.define({
      name: 'subscriptions',
      // A tenant is made with its first plan: who hears of the one has to have the other.
      on: ['billing.subscription.', 'billing.plan.changed', 'tenancy.tenant.created', 'tenancy.tenant.deleted'],
      touched: ({ type, tenantId }) => (type === 'billing.plan.changed' ? 'all' : [tenantId]),
      load: async (tx, tenantIds) => {
        const now = deps.clock.now().epochMilliseconds;
        const rows = (await readCurrentSubscriptions(tx, tenantIds)).filter(
          ({ untilAt }) => untilAt === null || Date.parse(untilAt) > now,
        );
        await this.#learn(tx, rows, tenantIds === undefined);
        const held = new Map<string, [Held, ...Held[]]>();
        for (const row of rows) {
          const one = { prices: this.#prices.get(versionOf(row)) as ListPrices, fromMs: Date.parse(row.fromAt) };
          const others = held.get(row.tenantId);
          if (others === undefined) held.set(row.tenantId, [one]);
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
    if (held === undefined) {
      if (!this.#told.has(tenantId)) this.#log.error({ tenantId }, 'a tenant is on no plan: what it uses has no price');
      this.#told.add(tenantId);
      return undefined;
    }
    let [inForce] = held;
    if (held.length > 1) {
      const now = this.#clock.now().epochMilliseconds;
      for (const one of held) if (one.fromMs <= now) inForce = one;
    }
    return inForce.prices;
  }

  /** Reads the plan versions of subscriptions that are not known yet; `all`: forgets those nobody is on. */
  async #learn(tx: Tx, rows: readonly SubscriptionRow[], all: boolean): Promise<void> {
    const known = all ? new Map<string, ListPrices>() : this.#prices;
    const unknown = new Set<string>();
    for (const row of rows) {
      const prices = this.#prices.get(versionOf(row));
      if (prices === undefined) unknown.add(row.planId);
      else known.set(versionOf(row), prices);
    }
    if (unknown.size > 0)
      for (const plan of await readPlanVersions(tx, [...unknown])) {
        const version = versionOf({ planId: plan.id, planVersion: plan.version });
        if (!known.has(version)) known.set(version, new ListPrices(plan));
      }
    this.#prices = known;
  }
}

function versionOf({ planId, planVersion }: Pick<SubscriptionRow, 'planId' | 'planVersion'>): string {
  return `${planId}:${planVersion}`;
}
