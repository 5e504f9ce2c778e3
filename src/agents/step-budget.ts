import { add, type Decimal, formatDecimal, parseDecimal, subtract, sum, toMicros, ZERO } from '#kernel/money';
import { Problem } from '#kernel/problem';
import { type Charge, costsOf } from '#metering';
import { type Bound, boundCall, estimateTokens, type Message, mostOutput, type ToolSpec } from '#models';
import type {
  Amounts,
  BillingPort,
  ModelTarget,
  Quantities,
  QuotaPort,
  Reservation,
  StepUsage,
  Subjects,
} from './ports.ts';
import { agentProblems } from './problems.ts';
import type { Reserved, Run } from './runs.ts';

const defaultOutputTokens = 4_096;
const leastOutputTokens = 16;
/** Of English text in common tokenizers; what Lintel starts from with every model. */
export const bytesPerTokenUnknown = 4;

/**
 * What a step may use, and what was set aside for it. `target` has the fallbacks that may answer; `outputTokens` is the cap sent to
 * the model, `inputEstimate` what the input is likely to be.
 */
export type StepBudget = {
  target: ModelTarget;
  outputTokens: number;
  inputEstimate: number;
  /** What it may use at the target that answers, by its id. */
  boundAt(id: string): Bound;
  reserved: Reserved;
  reservation: Reservation;
};

/** Who takes a step: a model, or an agent elsewhere. */
export type StepTaker = { type: 'model.call'; target: ModelTarget } | { type: 'agent.external' };

/** What is known of a step's money: decimal strings. */
export type Priced = { price: string; currency: string } | null;

/** Whom the limits of a run count. */
export function subjectsOf(run: Run): Subjects {
  const { principal } = run;
  return {
    tenantId: run.tenantId,
    agentId: run.agentId,
    ...(principal.kind === 'key' ? { keyId: principal.id } : {}),
  };
}

/** What a run's usage is grouped and priced by. */
export function dimensionsOf(run: Run, target?: ModelTarget): Record<string, string> {
  return {
    agent: run.agentId,
    agentVersion: String(run.agentVersion),
    ...(run.principal.kind === 'key' ? { key: run.principal.id } : {}),
    ...(target === undefined ? {} : { provider: target.provider, model: `${target.provider}/${target.model}` }),
  };
}

/**
 * What one run costs by the plan; null for runs that another agent started: they are part of their caller's. It is set aside with
 * each answer and settled with the last: a second reservation beside a step's would take a second slot of concurrency.
 */
export function runPriceOf(billing: BillingPort, run: Run): Priced {
  return run.parentId === null ? billing.priceOf(run.tenantId, 'agent.run', dimensionsOf(run), { runs: 1 }) : null;
}

/** 422 that names the guardrail. */
export function guardrailReached(name: string, limit: number | string, used: number | string): Problem {
  return new Problem(agentProblems.guardrail, {
    detail: `The run reached its guardrail ${name} of ${limit} (used ${used}).`,
    headers: { 'x-should-retry': 'false' },
    extra: { guardrail: name, limit, used },
  });
}

/**
 * Bounds a step before it is made: output is cut down to what the run's guardrails leave, then an upper bound is set aside
 * under the limits, over the target and the fallbacks that may answer (see {@link boundCall}). Input is bounded by UTF-8 bytes (a
 * token is at least one byte) + 16 per message; for the run's own guardrails it is estimated by the model's observed bytes per token.
 * An agent elsewhere is not told the cap unless a guardrail sets it: what it used beyond is taken as it is. Throws 422 for a
 * guardrail, 402/429 for a limit, 402/400 for what no limit can hold.
 */
export async function reserveStep(
  deps: { quota: QuotaPort; billing: BillingPort },
  run: Run,
  taker: StepTaker,
  messages: readonly Message[],
  specs: readonly ToolSpec[],
): Promise<StepBudget> {
  const elsewhere = taker.type === 'agent.external';
  const target = elsewhere ? agentElsewhere(run) : taker.target;
  const { maxTokens, maxMoney, maxOutputTokens } = run.guardrails;
  const subjects = subjectsOf(run);
  const limits = deps.quota.limited(subjects);
  const money = limits.money || maxMoney !== undefined;
  const tokens = limits.tokens || maxTokens !== undefined;
  const { bytes, images } = sizeOf(messages, specs);
  const capOf = (by: ModelTarget) => Math.min(outputTokens, by.maxOutputTokens ?? Number.MAX_SAFE_INTEGER);
  const bound = (inputTokens: number, output: (by: ModelTarget) => number) =>
    boundCall(
      target,
      // An agent elsewhere is no model: it may have no price.
      elsewhere ? { tokens: tokens || money, money: false } : { tokens, money },
      { inputTokens, media: { image: images, audio: 0, file: 0 }, output },
      (by, quantities) => {
        const dimensions = elsewhere ? dimensionsOf(run) : dimensionsOf(run, by);
        const priced = deps.billing.priceOf(run.tenantId, taker.type, dimensions, quantities);
        return priced && { amount: priced.price, currency: priced.currency };
      },
    );
  const likely = () => bound(estimateTokens(bytes, target.bytesPerToken), capOf);
  let outputTokens = Math.min(
    maxOutputTokens ?? target.maxOutputTokens ?? defaultOutputTokens,
    target.maxOutputTokens ?? Number.MAX_SAFE_INTEGER,
  );
  const inputEstimate = likely().bound.input_tokens;
  if (maxTokens !== undefined) {
    const left = maxTokens - run.tokens - inputEstimate;
    if (left < Math.min(leastOutputTokens, outputTokens)) throw guardrailReached('maxTokens', maxTokens, run.tokens);
    outputTokens = Math.min(outputTokens, left);
  }
  const runPriced = runPriceOf(deps.billing, run);
  if (maxMoney !== undefined) {
    const ofRun = runPriced === null ? ZERO : parseDecimal(runPriced.price);
    const left = subtract(subtract(parseDecimal(maxMoney), parseDecimal(run.money)), ofRun);
    for (;;) {
      const { price } = likely();
      if (price === null || parseDecimal(price.amount) <= left) break;
      outputTokens = Math.floor(outputTokens / 2);
      if (outputTokens < leastOutputTokens) throw guardrailReached('maxMoney', maxMoney, run.money);
    }
  }
  const call = bound(bytes + 16 * messages.length, (by) => mostOutput(by, capOf(by)));
  const priced = call.price && { price: call.price.amount, currency: call.price.currency };
  const reservedTokens = call.bound.input_tokens + (call.bound.output_tokens ?? 0);
  const amounts: Amounts = { tokens: BigInt(reservedTokens), money: microsOf(priced) + microsOf(runPriced) };
  const sums = [priced, runPriced].flatMap((each) => (each === null ? [] : [parseDecimal(each.price)]));
  return {
    target: call.target,
    outputTokens,
    inputEstimate,
    boundAt: call.boundAt,
    reserved: {
      tokens: reservedTokens,
      money: sums.length === 0 ? null : formatDecimal(sum(sums)),
      ...(call.leftOut.length === 0 ? {} : { leftOut: call.leftOut }),
    },
    reservation: await deps.quota.reserve(subjects, amounts),
  };
}

/** An agent elsewhere in the place of a model: nothing is known of it. */
function agentElsewhere(run: Run): ModelTarget {
  return {
    id: `agent/${run.agentName}`,
    provider: run.agentName,
    providerId: null,
    model: run.agentName,
    ownedBy: 'tenant',
    contextTokens: null,
    maxOutputTokens: null,
    maxImageTokens: null,
    maxAudioTokens: null,
    outputCap: { coversReasoning: true },
    bytesPerToken: bytesPerTokenUnknown,
    fallbacks: [],
  };
}

/** Settles what a step used. A usage beyond what was set aside is taken as it is: the provider counts. */
export function settle(reservation: Reservation, tokens: number, ...priced: readonly Priced[]): Charge[] {
  const money = priced.reduce((total, each) => total + microsOf(each), 0n);
  return reservation.settle({ tokens: BigInt(tokens), money });
}

/** Millionths, rounded up: what limits count in. */
export function microsOf(priced: Priced): bigint {
  return priced === null ? 0n : toMicros(parseDecimal(priced.price), 'ceil');
}

/** Money of a run after a step. */
export function addMoney(
  run: Pick<Run, 'money' | 'currency'>,
  priced: Priced,
): { money: string; currency: string | null } {
  if (priced === null) return { money: run.money, currency: run.currency };
  const total: Decimal = add(parseDecimal(run.money), parseDecimal(priced.price));
  return { money: total === ZERO ? '0' : formatDecimal(total), currency: priced.currency };
}

/** The usage row of a step or a run. */
export function usageOf(
  run: Run,
  seq: number | 'run',
  id: string,
  what: {
    type: StepUsage['type'];
    quantities: Quantities;
    target?: ModelTarget;
    estimated?: boolean;
    priced: Priced;
    cost?: { cost: string; currency: string } | null;
  },
): StepUsage {
  const { priced, cost } = what;
  return {
    tenantId: run.tenantId,
    id,
    source: `run/${run.id}/${seq}`,
    type: what.type,
    dimensions: dimensionsOf(run, what.target),
    quantities: what.quantities,
    demo: run.demo,
    mode: run.mode,
    ...(what.estimated ? { estimated: true } : {}),
    ...(priced === null ? {} : { price: priced.price, currency: priced.currency }),
    ...(cost == null || what.target === undefined
      ? {}
      : costsOf({ amount: cost.cost, currency: cost.currency }, what.target.ownedBy)),
  };
}

/** UTF-8 bytes of what is sent, pictures counted apart. */
function sizeOf(messages: readonly Message[], specs: readonly ToolSpec[]): { bytes: number; images: number } {
  let images = 0;
  const text = JSON.stringify(messages, (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null || (value as { type?: unknown }).type !== 'image') return value;
    images++;
    return undefined;
  });
  return {
    bytes: Buffer.byteLength(text) + (specs.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(specs))),
    images,
  };
}
