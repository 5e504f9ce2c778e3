import type { Context, Principal, TraceStep } from '#kernel/http';
import { formatId } from '#kernel/ids';
import { add, formatDecimal, parseDecimal } from '#kernel/money';
import type { CallRecord } from '#metering';
import type { Driven } from './run-engine.ts';
import type { ResolvedAgent } from './run-manager.ts';
import type { Run, Step } from './runs.ts';

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

/** What the steps of a run used in all, by meter name. */
export function quantitiesOf(steps: readonly Step[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { usage } of steps) {
    for (const [name, count] of Object.entries(usage?.quantities ?? {})) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

/** The row in `calls` of a call to an agent. A run in background is done as a call once it is queued. */
export function callRecordOf(
  call: CallOrigin,
  agent: ResolvedAgent,
  driven: Driven,
  endedAt: Temporal.Instant,
): CallRecord {
  const { run, steps, problem } = driven;
  const used = steps.flatMap((step) => (step.usage === null ? [] : [step.usage]));
  const last = used.findLast((usage) => usage.dimensions['model'] !== undefined);
  const costs = used.filter((usage) => usage.cost !== undefined);
  const currencies = new Set(costs.map((usage) => usage.costCurrency));
  // Costs in several currencies have no sum.
  const cost = costs.length > 0 && currencies.size === 1;
  const refused =
    problem !== undefined && (problem.kind.status === 402 || problem.kind.status === 429) && steps.length === 0;
  const { principal } = call;
  call.trace.push({
    step: 'run',
    outcome: refused ? 'refuse' : 'pass',
    us: Math.round(run.activeMs * 1_000),
    detail: { run: formatId('run', run.id), status: run.status, steps: steps.length },
  });
  return {
    id: call.callId,
    tenantId: run.tenantId,
    demo: call.demo,
    mode: principal.mode,
    kind: 'run',
    status: refused ? 'refused' : run.status === 'failed' ? 'failed' : run.status === 'cancelled' ? 'cancelled' : 'ok',
    httpStatus: problem?.kind.status ?? (run.status === 'cancelled' ? 499 : 200),
    principalKind: principal.kind,
    principalId: principal.id,
    principalName: principal.name,
    keyId: principal.kind === 'key' ? principal.id : null,
    agentId: agent.agentId,
    agentVersion: agent.version,
    runId: run.id,
    providerId: null,
    provider: last?.dimensions['provider'] ?? null,
    model: last?.dimensions['model'] ?? null,
    stream: call.stream,
    trace: call.trace,
    reserved: null,
    quantities: quantitiesOf(steps),
    estimated: used.some((usage) => usage.estimated === true),
    late: false,
    cost: cost
      ? formatDecimal(costs.reduce((sum, usage) => add(sum, parseDecimal(usage.cost as string)), parseDecimal('0')))
      : null,
    costCurrency: cost ? (costs[0]?.costCurrency ?? null) : null,
    price: priceOf(run)?.price ?? null,
    currency: run.currency,
    origin: call.origin,
    attempts: [],
    error: run.error === null ? null : { code: run.error.code, message: run.error.detail },
    startedAt: call.startedAt.toString({ smallestUnit: 'millisecond' }),
    endedAt: endedAt.toString({ smallestUnit: 'millisecond' }),
    firstByteMs: null,
  };
}

/** What a run costs so far; null where the plan names no price. */
export function priceOf(run: Run): { price: string; currency: string } | null {
  return run.currency === null ? null : { price: formatDecimal(parseDecimal(run.money)), currency: run.currency };
}
