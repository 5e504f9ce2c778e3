import type { Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import type { Connector } from '#kernel/database-connector';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import type { Snapshots } from '#kernel/snapshot';

import { carryLimits } from './carry-limits.ts';
import { events } from './events.ts';
import { LeaseBook } from './lease-book.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { type Limit, TenantLimits } from './limits.ts';
import { problems } from './problems.ts';
import { QuotaManager } from './quota-manager.ts';
import { RequestRates } from './request-rates.ts';
import { routes } from './routes.ts';
import { readEnabledLimits } from './store.ts';
import { tables } from './tables.ts';

export type { QuotaManager } from './quota-manager.ts';

/** What quota needs of the house. */
export type QuotaDeps = {
  db: Doors;
  /** For the connection on which leases are asked back. */
  connector: Connector;
  snapshots: Snapshots;
  clock: Clock;
  log: Logger;
  nodeId: string;
  tenants: { get(tenantId: string): { timeZone: string } | undefined };
  config: {
    /** Seconds a node answers without the database; a lease runs 10 s longer. */
    staleGraceSeconds: number;
  };
};

/** Quota's module with its services; `keeper` is for the composition root and tests. */
export type QuotaModule = Module & {
  readonly quota: QuotaManager;
  readonly book: LeaseBook;
  readonly keeper: LeaseKeeper;
  /** Sets a key's limits for the one that takes its place as well. */
  carryLimits(tx: Tx, tenantId: string, keys: { from: string; to: string }, cause: Cause): Promise<void>;
};

/** What may be used: limits, leases, reservations. */
export function createQuotaModule(deps: QuotaDeps): QuotaModule {
  const { clock, snapshots, tenants } = deps;
  const limits = snapshots.define<TenantLimits>({
    name: 'limits',
    on: ['quota.limit.'],
    touched: (event) => [event.tenantId],
    load: async (tx, keys) => {
      const byTenant = new Map<string, Limit[]>();
      for (const limit of await readEnabledLimits(tx, keys)) {
        const same = byTenant.get(limit.tenantId);
        if (same === undefined) byTenant.set(limit.tenantId, [limit]);
        else same.push(limit);
      }
      return [...byTenant].map(([tenantId, own]) => [tenantId, new TenantLimits(own)] as const);
    },
  });
  const zoneOf = (tenantId: string) => tenants.get(tenantId)?.timeZone;
  const book = new LeaseBook({
    clock,
    limitsOf: (tenantId) => limits.get(tenantId),
    zoneOf: (tenantId) => zoneOf(tenantId) ?? 'UTC',
  });
  const rates = new RequestRates({ clock });
  const leaseRunMs = (deps.config.staleGraceSeconds + 10) * 1000;
  const keeper = new LeaseKeeper({ ...deps, book, rates }, { leaseRunMs });
  const quota = new QuotaManager({ ...deps, limits, book, rates, zoneOf });
  return {
    name: 'quota',
    quota,
    book,
    keeper,
    carryLimits: (tx, tenantId, keys, cause) => carryLimits(tx, tenantId, keys, cause, clock.now()),
    tables,
    events,
    problems,
    routes: routes(quota),
    migrations: new URL('./migrations/', import.meta.url),
    permissions: [
      { name: 'limits:read', risk: 'low', area: 'tenant' },
      { name: 'limits:create', risk: 'medium', area: 'tenant' },
      { name: 'limits:update', risk: 'medium', area: 'tenant' },
      { name: 'limits:delete', risk: 'medium', area: 'tenant' },
      { name: 'platform-limits:read', risk: 'low', area: 'platform' },
      { name: 'platform-limits:create', risk: 'medium', area: 'platform' },
      { name: 'platform-limits:update', risk: 'medium', area: 'platform' },
      { name: 'platform-limits:delete', risk: 'medium', area: 'platform' },
    ],
    start: async () => {
      await keeper.start();
      return () => keeper.stop();
    },
  };
}
