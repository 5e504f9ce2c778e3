import type { Context, Principal, TraceStep } from '#kernel/http';
import { formatId, idTime } from '#kernel/ids';
import { formatDecimal, parseDecimal, subtract } from '#kernel/money';
import type { CallRecord, shownCall } from '#metering';
import type { Front, Reserved, Run, Step } from './runs.ts';
import { spendingOf } from './spending.ts';

/** The request behind a call of an agent. `callId` is a UUID version 7. */
export type CallOrigin = {
  callId: string;
  principal: Principal;
  origin: Context['origin'];
  trace: TraceStep[];
  stream: boolean;
  demo: boolean;
  startedAt: Temporal.Instant;
};

/** Steps of a run that its call's trace shows one by one. */
const shownSteps = 100;

/**
 * The row in `calls` of a call to an agent, from the run's journal: whoever ends the run writes the same. A run in background is
 * done as a call once it is queued, one that waits for a person once it waits: what follows is in the row of the run (see
 * {@link runRecordOf}). `httpStatus`: what the client is told, where it is told.
 */
export function callRecordOf(
  run: Run & { callId: string },
  front: Front,
  steps: readonly Step[],
  endedAt: Temporal.Instant,
  httpStatus: number | undefined = run.error?.status,
): CallRecord {
  const { principal, error } = run;
  const refused = run.status === 'failed' && (httpStatus === 402 || httpStatus === 429) && steps.length === 0;
  const { reserved, quantities, estimated, ...money } = spendingOf(run, steps);
  return {
    id: run.callId,
    tenantId: run.tenantId,
    demo: run.demo,
    mode: run.mode,
    kind: 'run',
    status: refused ? 'refused' : run.status === 'failed' ? 'failed' : run.status === 'cancelled' ? 'cancelled' : 'ok',
    httpStatus: run.status === 'cancelled' ? 499 : (httpStatus ?? (run.status === 'failed' ? 500 : 200)),
    principalKind: principal.kind,
    principalId: principal.id,
    principalName: principal.name,
    keyId: principal.kind === 'key' ? principal.id : null,
    agentId: run.agentId,
    agentVersion: run.agentVersion,
    runId: run.id,
    providerId: null,
    provider: null,
    model: `agent/${run.agentName}@${run.agentVersion}`,
    stream: front.stream,
    trace: [...front.trace, ...traceOf(steps), endOf(run, steps, refused)],
    reserved,
    quantities,
    estimated,
    late: false,
    ...money,
    origin: front.origin,
    attempts: [],
    error: error === null ? null : { code: error.code, message: error.detail },
    startedAt: new Date(idTime(run.callId)).toISOString(),
    endedAt: endedAt.toString({ smallestUnit: 'millisecond' }),
    firstByteMs: null,
  };
}

/**
 * The row of a run that ended after its call was answered: what it used since, so that rows add up to what was used. Its id is the
 * run's, and it stands for no request. `answered` is the call's own row.
 */
export function runRecordOf(
  run: Run & { callId: string },
  front: Front,
  steps: readonly Step[],
  endedAt: Temporal.Instant,
  answered: Pick<ReturnType<typeof shownCall>, 'quantities' | 'reserved' | 'price' | 'cost' | 'ownCost'>,
): CallRecord {
  const whole = callRecordOf(run, front, steps, endedAt);
  const { reserved } = whole;
  const before = answered.reserved as CallRecord['reserved'];
  return {
    ...whole,
    id: run.id,
    startedAt: run.createdAt,
    trace: [
      { step: 'call', outcome: 'pass', us: 0, detail: { call: formatId('call', run.callId) } },
      ...whole.trace.slice(front.trace.length),
    ],
    reserved: reserved && {
      tokens: reserved.tokens - (before?.tokens ?? 0),
      money: less(reserved.money, before?.money),
    },
    quantities: Object.fromEntries(
      Object.entries(whole.quantities)
        .map(([name, count]) => [name, count - (answered.quantities[name] ?? 0)] as const)
        .filter(([, count]) => count > 0),
    ),
    price: less(whole.price, answered.price),
    cost: less(whole.cost, answered.cost),
    ...(whole.ownCost === undefined ? {} : { ownCost: subtracted(whole.ownCost, answered.ownCost) }),
  };
}

function less(whole: string | null, part: string | null | undefined): string | null {
  return whole === null ? null : subtracted(whole, part);
}

function subtracted(whole: string, part: string | null | undefined): string {
  return formatDecimal(subtract(parseDecimal(whole), parseDecimal(part ?? '0')));
}

function endOf(run: Run, steps: readonly Step[], refused: boolean): TraceStep {
  return {
    step: 'run',
    outcome: refused ? 'refuse' : 'pass',
    us: Math.round(run.activeMs) * 1_000,
    detail: {
      run: formatId('run', run.id),
      status: run.status,
      steps: steps.length,
      ...(steps.length > shownSteps ? { shown: shownSteps } : {}),
    },
  };
}

/** What each step set aside and used. Texts and arguments stay in the journal. */
function traceOf(steps: readonly Step[]): TraceStep[] {
  return steps.slice(0, shownSteps).map((step) => {
    const { kind, seq, status, startedAt, finishedAt, reserved, usage, below, result } = step;
    const model = usage?.dimensions['model'];
    const spent = usage ?? below;
    const tokens = (spent?.quantities['input_tokens'] ?? 0) + (spent?.quantities['output_tokens'] ?? 0);
    const refused = kind === 'approval' && result?.approved === false;
    return {
      step: kind,
      outcome: refused ? 'refuse' : status === 'done' ? 'pass' : 'skip',
      us: finishedAt === null ? 0 : Math.max(0, Math.round(microsOf(finishedAt) - microsOf(startedAt))),
      detail: {
        seq,
        name: model ?? step.tool ?? kind,
        ...(status === 'done' ? {} : { status }),
        ...(kind === 'tool' && result?.isError ? { error: true } : {}),
        ...(reserved === null ? {} : reservedIn(reserved)),
        ...(spent === null
          ? {}
          : { used: { tokens, money: spent.price ?? null }, ...(spent.estimated ? { estimated: true } : {}) }),
      },
    };
  });
}

function reservedIn({ leftOut, ...reserved }: Reserved) {
  return { reserved, ...(leftOut === undefined ? {} : { leftOut }) };
}

function microsOf(time: string): number {
  return Number(Temporal.Instant.from(time).epochNanoseconds / 1_000n);
}
