import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import type { TenancyModule } from '#tenancy';

import { AuditLog, type Refusal, type SignInRefusal } from './audit-log.ts';
import { events } from './events.ts';
import { outsideEvent } from './outside-form.ts';
import { RefusalCounter } from './refusal-counter.ts';
import { routes } from './routes.ts';
import { tables } from './tables.ts';

export type { AuditLog };
export { outsideEvent };

/** Audit's module with what the composition root plugs in. */
export type AuditModule = Module & {
  readonly manager: AuditLog;
  /** Takes what the front door refused. */
  refused(refusal: Refusal): void;
  /** What auth tells of sign-ins that failed. */
  signInRefused(refusal: SignInRefusal): void;
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
    signInRefused: (refusal) => manager.signInRefused(refusal),
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
      let purging: Promise<unknown> = Promise.resolve();
      const timer = setInterval(() => {
        purging = manager.purge().catch((error: unknown) => deps.log.debug({ err: error }, 'audit log not purged'));
      }, 3_600_000);
      return async () => {
        clearInterval(timer);
        await Promise.all([stop(), purging]);
      };
    },
  };
}
