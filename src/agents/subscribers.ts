import type { Doors } from '#kernel/database';
import type { Subscriber } from '#kernel/module';
import { Problem } from '#kernel/problem';
import { callRecordOf } from './call-record.ts';
import type { MeteringPort, StepUsage } from './ports.ts';
import { readCallOf, readSteps } from './run-store.ts';

/**
 * Brings the usage that events of runs carry home to metering. An event that comes twice brings the same row with the same id,
 * and metering drops it together with its charges: what a step used is counted once.
 */
export function usageSubscriber(metering: MeteringPort): Subscriber {
  return {
    name: 'agents.usage',
    types: ['agents.step.finished', 'agents.run.finished'],
    handle: async ({ data }) => {
      const usage = data?.['usage'] as StepUsage | undefined;
      if (usage === undefined) return;
      const charges = (data?.['charges'] ?? []) as { leaseId: string; amount: string }[];
      await metering.record({
        call: null,
        usage: [usage],
        charges: charges.map(({ leaseId, amount }) => ({ leaseId, amount: BigInt(amount) })),
      });
    },
  };
}

/**
 * Writes the row of a call whose front could not: it was killed, or lost the run to another engine. A run that ended, or waits for
 * somebody, tells so in the log; where its call has no row, it gets the one that its front would have written.
 */
export function callSubscriber({ db, metering }: { db: Pick<Doors, 'forTenant'>; metering: MeteringPort }): Subscriber {
  return {
    name: 'agents.calls',
    types: ['finished', 'failed', 'cancelled', 'waiting', 'review_needed'].map((verb) => `agents.run.${verb}`),
    handle: async ({ tenantId, subject, occurredAt }) => {
      const read = await db.forTenant(tenantId, (tx) => readCallOf(tx, tenantId, subject.id));
      // The row is the root run's; one that goes on meanwhile says so again when it stands still.
      if (read === undefined || read.run.status === 'running' || read.run.status === 'queued') return;
      const { run, front } = read;
      const known = await metering.getCall(tenantId, run.callId).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Problem && error.kind.status === 404) return false;
          throw error;
        },
      );
      if (known) return;
      const steps = await db.forTenant(tenantId, (tx) => readSteps(tx, tenantId, run.id));
      const endedAt = Temporal.Instant.from(run.finishedAt ?? occurredAt);
      await metering.record({ call: callRecordOf(run, front, steps, endedAt), usage: [], charges: [] });
    },
  };
}
