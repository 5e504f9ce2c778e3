import { type Clock, systemClock } from '#kernel/clock';
import { Database } from '#kernel/database';
import { createConnector } from '#kernel/database-connector';
import { newId } from '#kernel/ids';
import { createLogger } from '#kernel/logger';
import { Snapshots } from '#kernel/snapshot';
import { createMeteringModule } from '#metering';
import { createQuotaModule } from '#tenancy/quota';

/** Metering and quota as one process has them, on connections of their own. */
export type QuotaNode = Awaited<ReturnType<typeof startNode>>;

/** Starts one node's metering and quota over the database at `url`. */
export async function startNode(
  url: string,
  more: {
    clock?: Clock;
    staleGraceSeconds?: number;
    spoolFolder?: string;
    spoolMaxBytes?: number;
    zones?: ReadonlyMap<string, string>;
    poolSize?: number;
    /** False: no timers; the test calls `keeper.tick()`. */
    ticking?: boolean;
    logLevel?: string;
  } = {},
) {
  const connector = createConnector(url, 'lintel-test-node');
  const db = new Database({ connector, poolSize: more.poolSize ?? 6 });
  const snapshots = new Snapshots(db);
  db.onCommit((events) => snapshots.apply(events));
  const nodeId = newId();
  const deps = {
    db,
    connector,
    snapshots,
    clock: more.clock ?? systemClock,
    log: createLogger(more.logLevel ?? 'silent'),
    nodeId,
    tenants: { get: (id: string) => ({ timeZone: more.zones?.get(id) ?? 'UTC' }) },
  };
  const staleGraceSeconds = more.staleGraceSeconds ?? 60;
  const quota = createQuotaModule({ ...deps, config: { staleGraceSeconds } });
  const metering = createMeteringModule({
    ...deps,
    charges: quota.quota,
    linesOf: async () => null,
    config: {
      staleGraceSeconds,
      commitWindowMs: 1,
      usageDays: 3_650,
      spoolFolder: more.spoolFolder,
      spoolMaxBytes: more.spoolMaxBytes ?? 100_000_000,
    },
  });
  await snapshots.loadAll();
  const stopMetering = await metering.start?.('front');
  let stopQuota: (() => Promise<void>) | undefined;
  if (more.ticking === false) await quota.keeper.tick();
  else stopQuota = await quota.start?.('front');
  return {
    nodeId,
    db,
    snapshots,
    quota: quota.quota,
    keeper: quota.keeper,
    book: quota.book,
    metering: metering.metering,
    recorder: metering.recorder,
    /** Ends in order, as a drained process does. */
    stop: async () => {
      await stopMetering?.();
      await stopQuota?.();
      await db.close();
    },
    /** Ends as a killed process does: nothing is given back, nothing more is written. */
    kill: async () => {
      await db.close();
      await stopQuota?.().catch(() => undefined);
    },
  };
}
