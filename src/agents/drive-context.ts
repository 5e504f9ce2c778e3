import type { Clock } from '#kernel/clock';
import { formatId } from '#kernel/ids';
import type { Definition } from './definitions.ts';
import type { BillingPort, EgressPort, ModelPort, ModelTarget, QuotaPort } from './ports.ts';
import { Halt, type RunJournal } from './run-journal.ts';
import type { Step } from './runs.ts';
import type { Toolset } from './toolbox.ts';

/** What happens in a run as it happens, for a client that waits. */
export type RunListener = {
  onText?(delta: string): void;
  /** A step began, changed or ended. */
  onStep?(step: Step): void;
};

/** Services that steps are taken with. */
export type StepDeps = {
  models: ModelPort<ModelTarget>;
  quota: QuotaPort;
  billing: BillingPort;
  egress: EgressPort;
  clock: Clock;
  /** Milliseconds after which a tool is given up. */
  toolTimeoutMs: number;
};

/** One run in the hands of an engine. */
export type DriveContext = {
  deps: StepDeps;
  journal: RunJournal;
  definition: Definition;
  /** Headers of an external agent, unsealed. */
  secrets(): Record<string, string>;
  tools: Toolset;
  listener: RunListener;
  signal: AbortSignal;
  /** True when the process is about to end or the tenant is suspended: the run goes back to the queue between two steps. */
  draining(): boolean;
};

/** Why a run is stopped from outside. */
export class Stop extends Error {
  readonly reason: 'cancel' | 'client' | 'time' | 'hand-over';

  constructor(reason: Stop['reason']) {
    super(`The run was stopped: ${reason}.`);
    this.name = 'Stop';
    this.reason = reason;
  }
}

/** True for a reason to stop after which the run goes on elsewhere, from its journal: what is cut off is done again there. */
export function goesOnElsewhere(reason: unknown): boolean {
  return reason instanceof Halt || (reason instanceof Stop && reason.reason === 'hand-over');
}

/** True when an error means that the drive ends here, rather than that a tool or model failed. */
export function isStop(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted || error instanceof Halt;
}

/** The members every new step has; `seq` of an earlier try when it is taken again, and with it the same key. */
export function stepAt(journal: RunJournal, seq: number): Omit<Step, 'kind' | 'result'> {
  return {
    runId: journal.run.id,
    seq,
    status: 'intent',
    ofSeq: null,
    ofCall: null,
    tool: null,
    arguments: null,
    idempotencyKey: `${formatId('run', journal.run.id)}:${seq}`,
    usage: null,
    reserved: null,
    below: null,
    startedAt: journal.now(),
    finishedAt: null,
  };
}

/** Keeps a step before its effect: from here on it may have happened. */
export async function keepIntent({ journal, listener }: DriveContext, step: Step): Promise<void> {
  await journal.keep({ step, kept: () => listener.onStep?.(step) });
  await journal.fault('after-intent', step);
}
