import type { Doors } from '#kernel/database';
import type { Subscriber } from '#kernel/module';
import { Problem } from '#kernel/problem';
import { shownCall } from '#metering';
import { callRecordOf, runRecordOf } from './call-record.ts';
import type { MeteringPort, StepUsage } from './ports.ts';
import type { RunManager } from './run-manager.ts';
import { readCallOf, readSteps } from './run-store.ts';
import { isTerminal, type RunStatus } from './runs.ts';

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
 * Completes the rows of calls from what runs that ended, or wait for somebody, tell in the log. Where a call has no row, its front could
 * not write it (it was killed, or lost the run to another engine): it gets the one that its front would have written. Where its row was
 * written before the run ended, the run gets a row of its own.
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
      const answered = await metering.getCall(tenantId, run.callId).then(shownCall, (error: unknown) => {
        if (error instanceof Problem && error.kind.status === 404) return undefined;
        throw error;
      });
      if (answered !== undefined && (!isTerminal(run.status) || isTerminal(statusIn(answered)))) return;
      const steps = await db.forTenant(tenantId, (tx) => readSteps(tx, tenantId, run.id));
      const about = [run, front, steps, Temporal.Instant.from(run.finishedAt ?? occurredAt)] as const;
      await metering.record(
        answered === undefined
          ? { call: callRecordOf(...about), usage: [], charges: [] }
          : { call: runRecordOf(...about, answered), usage: [], charges: [], requests: 0 },
      );
    },
  };
}

/** Ends what a run asked for that ended without waiting for it: agents it asked may stand before a person still. */
export function childSubscriber(runs: Pick<RunManager, 'cancelBelow'>): Subscriber {
  return {
    name: 'agents.children',
    types: ['agents.run.failed', 'agents.run.cancelled'],
    handle: ({ tenantId, subject, actor }) => runs.cancelBelow(tenantId, subject.id, { actor }),
  };
}

/** Where the run stood when its call's row was written. */
function statusIn({ trace }: ReturnType<typeof shownCall>): RunStatus {
  return trace.at(-1)?.detail['status'] as RunStatus;
}
