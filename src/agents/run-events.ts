import type { NewEvent } from '#kernel/log';
import type { Charge } from '#metering';
import type { StepUsage } from './ports.ts';
import type { Run, Step } from './runs.ts';

/** An event about a run: the actor is the run, on behalf of who started it. */
export function runEvent(run: Run, type: string, data: Record<string, unknown> = {}): NewEvent {
  const { kind, id, name } = run.principal;
  return {
    tenantId: run.tenantId,
    type: `agents.${type}`,
    actor: { kind: 'run', id: run.id, name: run.agentName },
    onBehalfOf: { kind, id, name },
    subject: { kind: 'run', id: run.id, name: run.agentName },
    data: { agentId: run.agentId, agentVersion: run.agentVersion, ...data },
    ...(run.demo ? { demo: true } : {}),
  };
}

/** The event of a finished step: carries its usage and what it charged, for metering at home. */
export function stepEvent(run: Run, step: Step, charges: readonly Charge[]): NewEvent {
  return runEvent(run, 'step.finished', {
    seq: step.seq,
    kind: step.kind,
    ...(step.tool === null ? {} : { tool: step.tool }),
    ...usageData(step.usage, charges),
  });
}

/** Usage and charges as an event carries them. */
export function usageData(usage: StepUsage | null, charges: readonly Charge[]): Record<string, unknown> {
  if (usage === null) return {};
  return { usage, charges: charges.map(({ leaseId, amount }) => ({ leaseId, amount: String(amount) })) };
}
