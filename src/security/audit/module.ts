import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import { repeat } from '#kernel/repeat';
import type { TenancyModule } from '#tenancy';

import { AuditLog, type Refusal } from './audit-log.ts';
import { belongingOf } from './event-reach.ts';
import { events } from './events.ts';
import { outsideEvent } from './outside-form.ts';
import { RefusalCounter } from './refusal-counter.ts';
import { routes } from './routes.ts';
import { tables } from './tables.ts';

export type { AuditLog };
export { belongingOf, outsideEvent };

/** Audit's module with what the composition root plugs in. */
export type AuditModule = Module & {
  readonly manager: AuditLog;
  /** Takes what routes answered with a problem; keeps refusals. */
  refused(refusal: Refusal): void;
  /** Writes counted refusals now; it happens each second by itself. */
  flush(): Promise<void>;
};

/** The audit log. `types`: beginnings of the event types that it keeps (`tenancy.`, `auth.` …; its own are `security.`). */
export function createAuditModule(deps: {
  db: Doors;
  clock: Clock;
  log: Logger;
  tenants: TenancyModule['tenants'];
  types: readonly string[];
}): AuditModule {
  const refusals = new RefusalCounter(deps);
  const manager = new AuditLog({ ...deps, refusals });
  return {
    name: 'audit',
    manager,
    refused: (refusal) => manager.refused(refusal),
    flush: () => refusals.flush(),
    routes: routes(manager),
    tables,
    events,
    subscribers: [{ name: 'audit', types: deps.types, handle: (event) => manager.record(event) }],
    permissions: [
      { name: 'audit-events:read', risk: 'medium', area: 'tenant' },
      { name: 'platform-audit-events:read', risk: 'medium', area: 'platform' },
    ],
    migrations: new URL('./migrations/', import.meta.url),
    start: async (role) => {
      const stop = refusals.start();
      if (role !== 'background') return stop;
      const stopPurging = repeat(
        3_600_000,
        () => manager.purge(),
        (error) => deps.log.debug({ err: error }, 'audit log not purged'),
      );
      return async () => {
        await Promise.all([stop(), stopPurging()]);
      };
    },
  };
}
