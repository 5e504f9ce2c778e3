import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import { Problem } from '#kernel/problem';
import { repeat } from '#kernel/repeat';
import type { Snapshot, Snapshots } from '#kernel/snapshot';
import type { Table } from '#kernel/tables';

import { events } from './events.ts';
import { problems } from './problems.ts';
import { routes, tenantIdOf } from './routes.ts';
import { readViews, type TenantRow } from './store.ts';
import { tables } from './tables.ts';
import { type Provision, platformTenantId, type Settle, TenantManager } from './tenant-manager.ts';

export type { TenantManager, TenantRow };
export { platformTenantId, tenantIdOf };

/** What decisions need to know of a tenant. */
export type TenantView = Pick<
  TenantRow,
  'id' | 'slug' | 'name' | 'status' | 'locale' | 'timeZone' | 'currency' | 'demo' | 'staleGraceSeconds'
>;

/** Tenancy's module with its services. */
export type TenancyModule = Module & {
  readonly manager: TenantManager;
  /** All tenants by id, from memory. */
  readonly tenants: Snapshot<TenantView>;
  /** The tenant of a credential; throws `tenant-suspended` or `tenant-deleted` (403). For the front door. */
  admit(principal: { readonly tenantId: string }): TenantView;
};

/**
 * Tenancy: who the tenants are and whether they may call. `tables`: those of all modules, asked for when a tenant is erased;
 * `provision`: what the modules above give a new tenant; `settle`: what they do before its rows are erased.
 */
export function createTenancyModule(deps: {
  db: Doors;
  snapshots: Snapshots;
  clock: Clock;
  log: Logger;
  tables: () => readonly Table[];
  provision?: Provision;
  settle?: Settle;
}): TenancyModule {
  const manager = new TenantManager(deps);
  const tenants = deps.snapshots.define<TenantView>({
    name: 'tenants',
    on: ['tenancy.tenant.'],
    load: async (tx, ids) => (await readViews(tx, ids)).map((row) => [row.id, row] as const),
  });
  return {
    name: 'tenancy',
    manager,
    tenants,
    admit: (principal) => {
      const tenant = tenants.get(principal.tenantId);
      if (tenant?.status === 'active') return tenant;
      if (tenant?.status === 'suspended') throw new Problem(problems.suspended);
      throw new Problem(problems.deleted);
    },
    routes: routes(manager),
    tables,
    events,
    problems,
    permissions: [
      { name: 'tenants:read', risk: 'low', area: 'tenant' },
      { name: 'tenants:update', risk: 'medium', area: 'tenant' },
      { name: 'platform-tenants:read', risk: 'low', area: 'platform' },
      { name: 'platform-tenants:create', risk: 'medium', area: 'platform' },
      { name: 'platform-tenants:update', risk: 'medium', area: 'platform' },
      { name: 'platform-tenants:suspend', risk: 'high', area: 'platform' },
      { name: 'platform-tenants:delete', risk: 'high', area: 'platform' },
    ],
    migrations: new URL('./migrations/', import.meta.url),
    start: async (role) => {
      if (role !== 'background') return async () => undefined;
      const failed = (error: unknown) => deps.log.warn({ err: error }, 'no erasure');
      const stops = [
        repeat(60_000, () => manager.eraseDueTenants(), failed),
        repeat(3_600_000, () => manager.sweepErased(), failed),
      ];
      return async () => {
        await Promise.all(stops.map((stop) => stop()));
      };
    },
  };
}
