import type { Subscriber } from '#kernel/module';
import type { MeteringPort, StepUsage } from './ports.ts';

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
