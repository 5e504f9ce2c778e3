import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';

import { CallRecorder } from './call-recorder.ts';
import { settings } from './config.ts';
import { dropOldMonths } from './drop-old-months.ts';
import { MeteringManager } from './metering-manager.ts';
import { problems } from './problems.ts';
import { type ChargeSink, costsOf, type NameLines } from './records.ts';
import { routes } from './routes.ts';
import { shownCall } from './schemas.ts';
import { tables } from './tables.ts';

export type { MeteringManager, WriterCursors } from './metering-manager.ts';
export type { CallRecord, Charge, ChargeSink, NamedLines, NameLines, UsageEvent } from './records.ts';
export type { CallRow } from './store.ts';
export { costsOf, shownCall };

/** Metering's slice of the environment. */
export const meteringSettings = settings;

/** What metering needs of the house. */
export type MeteringDeps = {
  db: Doors;
  clock: Clock;
  log: Logger;
  nodeId: string;
  /** Where leases are charged (quota). */
  charges: ChargeSink;
  tenants: { get(tenantId: string): { timeZone: string } | undefined };
  /** Names the place of usage on a bill. */
  linesOf: NameLines;
  config: {
    /** Seconds a node answers without the database; a lease runs 10 s longer. */
    staleGraceSeconds: number;
    commitWindowMs: number;
    /** Days that calls and usage are kept. */
    usageDays: number;
    /** This process's own folder; undefined: no spool. */
    spoolFolder: string | undefined;
    spoolMaxBytes: number;
  };
};

const tendMs = 3_600_000;

/** What was used: calls, usage, group commit, spool. */
export function createMeteringModule(
  deps: MeteringDeps,
): Module & { metering: MeteringManager; recorder: CallRecorder } {
  const { config } = deps;
  const recorder = new CallRecorder(deps, {
    writer: deps.nodeId,
    windowMs: config.commitWindowMs,
    patienceMs: 2_000,
    leaseRunMs: (config.staleGraceSeconds + 10) * 1000,
    spool:
      config.spoolFolder === undefined || config.spoolMaxBytes === 0
        ? undefined
        : { folder: config.spoolFolder, maxBytes: config.spoolMaxBytes },
  });
  const metering = new MeteringManager({ ...deps, recorder });
  return {
    name: 'metering',
    metering,
    recorder,
    tables,
    problems,
    migrations: new URL('./migrations/', import.meta.url),
    permissions: [
      { name: 'calls:read', risk: 'medium', area: 'tenant' },
      { name: 'usage:read', risk: 'low', area: 'tenant' },
      { name: 'platform-calls:read', risk: 'medium', area: 'platform' },
    ],
    routes: routes({
      metering,
      clock: deps.clock,
      linesOf: deps.linesOf,
      zoneOf: (tenantId) => deps.tenants.get(tenantId)?.timeZone ?? 'UTC',
    }),
    checks: [
      {
        name: 'metering.spool',
        run: async () => ({
          ok: !recorder.away,
          detail: recorder.away
            ? `the database is away; ${recorder.spoolBytes} bytes in the spool`
            : recorder.trouble !== undefined
              ? `calls are committed; ${recorder.spoolBytes} bytes in the spool cannot be taken in (${recorder.trouble.cause}): ${recorder.trouble.advice}`
              : 'calls are committed',
        }),
      },
    ],
    start: async () => {
      await recorder.start();
      const drop = () =>
        dropOldMonths(deps, config.usageDays).catch((error: unknown) =>
          deps.log.warn({ err: error }, 'old months of calls and usage are dropped an hour later'),
        );
      let dropping = drop();
      const tending = setInterval(() => {
        recorder.tend().catch((error: unknown) => deps.log.warn({ err: error }, 'no partitions made'));
        dropping = drop();
      }, tendMs);
      return async () => {
        clearInterval(tending);
        await dropping;
        metering.flushRefusals();
        await recorder.stop();
      };
    },
  };
}
