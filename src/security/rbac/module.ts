import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Module, Permission } from '#kernel/module';
import type { Snapshots } from '#kernel/snapshot';

import { events } from './events.ts';
import { problems } from './problems.ts';
import { type Cut, type Judged, RBACManager } from './rbac-manager.ts';
import { routes } from './routes.ts';
import { type HeldRoles, readAllRoles } from './store.ts';
import { tables } from './tables.ts';

export type { Cut, Judged, RBACManager };
export { problems as rbacProblems };

/** Rbac's module with its service; the front door's decision is `manager.checkPermission`. */
export type RbacModule = Module & {
  readonly manager: RBACManager;
  /** The front door's authorize step. */
  readonly decide: RBACManager['checkPermission'];
};

/** Role-based access control. `permissions`: the vocabulary of all modules, asked for at the first decision. */
export function createRbacModule(deps: {
  db: Doors;
  snapshots: Snapshots;
  clock: Clock;
  permissions: () => readonly Permission[];
}): RbacModule {
  const held = deps.snapshots.define<HeldRoles>({
    name: 'roles',
    on: ['rbac.roles.', 'tenancy.tenant.deleted'],
    touched: (event) => (event.type === 'tenancy.tenant.deleted' ? 'all' : [event.subject.id]),
    load: async (tx, ids) => (await readAllRoles(tx, ids)).map((row) => [row.id, row] as const),
  });
  const manager = new RBACManager({ ...deps, held });
  return {
    name: 'rbac',
    manager,
    decide: (principal, permission, area) => manager.checkPermission(principal, permission, area),
    routes: routes(manager),
    tables,
    events,
    problems,
    migrations: new URL('./migrations/', import.meta.url),
  };
}
