import { newId } from '#kernel/ids';
import { Problem } from '#kernel/problem';
import { atMost, estimateTokens, type Message } from '#models';
import type { ExternalDefinition, NativeDefinition } from './definitions.ts';
import { type DriveContext, goesOnElsewhere, isStop, keepIntent, stepAt } from './drive-context.ts';
import { callExternal, type ExternalAnswer, ExternalRefused } from './external-agent.ts';
import { cutOff } from './next-action.ts';
import type { ModelTarget, Quantities } from './ports.ts';
import { agentProblems } from './problems.ts';
import { finishRun, parkRun } from './run-ending.ts';
import type { Change } from './run-journal.ts';
import type { ModelResult, Step } from './runs.ts';
import {
  addMoney,
  bytesPerTokenUnknown,
  dimensionsOf,
  guardrailReached,
  reserveStep,
  runPriceOf,
  type StepBudget,
  settle,
  usageOf,
} from './step-budget.ts';
import { ToolNotCalled } from './tool-functions.ts';

/** Tool calls of one answer that are made; each is a step. The model is shown no more than these, as if it had asked for no others. */
const mostCalls = 128;

/** Takes the turn of the model, or of the agent that runs elsewhere. */
export async function answer(context: DriveContext): Promise<void> {
  const { definition, journal } = context;
  const { maxSteps } = journal.run.guardrails;
  if (journal.run.modelSteps >= maxSteps) throw guardrailReached('maxSteps', maxSteps, journal.run.modelSteps);
  if (definition.kind === 'external') await askExternal(context, definition);
  else await askModel(context, definition);
}

async function askModel(context: DriveContext, definition: NativeDefinition): Promise<void> {
  const { deps, journal, listener, signal, tools } = context;
  const { run } = journal;
  const target = deps.models.resolve(run.tenantId, definition.model, run.mode);
  const messages = conversationOf(definition, run.input, journal.steps);
  const { specs } = tools;
  const begun = stepAt(journal, journal.nextSeq);
  const taker = { type: 'model.call', target } as const;
  const budget = await reserveStep(deps, run, taker, messages, specs);
  const { reservation, reserved } = budget;
  const toKeep = (
    said: Quantities,
    by: ModelTarget,
    estimated: boolean,
    result: ModelResult,
  ): Change & { step: Step } => {
    const used = estimated ? atMost(said, budget.boundAt(by.id)) : said;
    const quantities = { requests: 1, ...used };
    const tokens = (used['input_tokens'] ?? 0) + (used['output_tokens'] ?? 0);
    const priced = deps.billing.priceOf(run.tenantId, 'model.call', dimensionsOf(run, by), quantities);
    const cost = deps.models.cost(by, quantities, deps.clock.now());
    const usage = usageOf(run, begun.seq, newId(), {
      type: 'model.call',
      quantities,
      target: by,
      estimated,
      priced,
      cost,
    });
    const last = result.toolCalls.length === 0 && result.finishReason !== cutOff;
    return {
      step: {
        ...begun,
        kind: 'model',
        status: 'done',
        idempotencyKey: null,
        result,
        usage,
        reserved,
        finishedAt: journal.now(),
      },
      charges: settle(reservation, tokens, priced, last ? runPriceOf(deps.billing, run) : null),
      state: { modelSteps: run.modelSteps + 1, tokens: run.tokens + tokens, ...addMoney(run, priced) },
    };
  };
  let change: Change & { step: Step };
  try {
    const said = await deps.models.generate({
      target: budget.target,
      messages,
      tools: specs,
      maxOutputTokens: budget.outputTokens,
      abortSignal: signal,
      ...(definition.temperature === undefined ? {} : { temperature: definition.temperature }),
      ...(listener.onText === undefined ? {} : { onDelta: (delta: string) => listener.onText?.(delta) }),
    });
    const { text, finishReason } = said;
    const toolCalls = said.toolCalls.slice(0, mostCalls);
    change = toKeep(said.quantities, said.target, said.estimated, { content: text, toolCalls, finishReason });
  } catch (error) {
    const { used, target: by } = error as { used?: Quantities; target?: ModelTarget };
    // What another process asks for again is paid for once.
    if (!(error instanceof Problem) || used === undefined || goesOnElsewhere(signal.reason)) {
      reservation.release();
      throw error;
    }
    await journal.keep(toKeep(used, by ?? target, true, { content: '', toolCalls: [], finishReason: cutOff }));
    throw error;
  }
  await keepAnswer(context, change);
}

/**
 * Keeps an answer. One that asks for tools is kept together with the intents (or approvals) of their calls, which are what has to be
 * durable next; one that does not ends the run in the same transaction.
 */
async function keepAnswer(context: DriveContext, change: Change & { step: Step }): Promise<void> {
  const result = change.step.result as ModelResult;
  const told = { ...change, kept: () => context.listener.onStep?.(change.step) };
  if (result.toolCalls.length > 0) context.journal.stage(told);
  else await finishRun(context, result, told);
}

async function askExternal(context: DriveContext, definition: ExternalDefinition): Promise<void> {
  const { deps, journal, listener, signal } = context;
  const { run } = journal;
  const standing = journal.steps.findLast((step) => step.kind === 'external' && step.status !== 'done');
  const begun = stepAt(journal, standing?.seq ?? journal.nextSeq);
  const budget = await reserveStep(deps, run, { type: 'agent.external' }, run.input, []);
  const { reservation, reserved } = budget;
  const step: Step = { ...begun, kind: 'external', tool: definition.protocol, result: null, reserved };
  let asked = false;
  let settled = false;
  let heard = '';
  const toKeep = (said: ExternalAnswer): Change & { step: Step } => {
    const { used, estimated } = usedBy(said, budget);
    const quantities = { requests: 1, ...used };
    const tokens = used.input_tokens + used.output_tokens;
    const priced = deps.billing.priceOf(run.tenantId, 'agent.external', dimensionsOf(run), quantities);
    const ofRun = said.finishReason === cutOff ? null : runPriceOf(deps.billing, run);
    settled = true;
    return {
      step: {
        ...step,
        status: 'done',
        result: { content: said.text, toolCalls: [], finishReason: said.finishReason },
        usage: usageOf(run, step.seq, newId(), { type: 'agent.external', quantities, estimated, priced }),
        finishedAt: journal.now(),
      },
      charges: settle(reservation, tokens, priced, ofRun),
      state: { modelSteps: run.modelSteps + 1, tokens: run.tokens + tokens, ...addMoney(run, priced) },
    };
  };
  try {
    await keepIntent(context, step);
    signal.throwIfAborted();
    asked = true;
    const said = await callExternal({
      egress: deps.egress,
      tenantId: run.tenantId,
      name: run.agentName,
      definition,
      headers: context.secrets(),
      messages: run.input,
      key: step.idempotencyKey as string,
      ...(run.guardrails.maxOutputTokens === undefined ? {} : { maxTokens: budget.outputTokens }),
      signal,
      ...(listener.onText === undefined
        ? {}
        : {
            onText: (delta: string) => {
              heard += delta;
              listener.onText?.(delta);
            },
          }),
    });
    await journal.fault('after-effect', step);
    await keepAnswer(context, toKeep(said));
  } catch (error) {
    // The run ends here, in the middle of an answer: what was read and said until now is paid for. Kept together with that end: a step
    // that is done in a run that is not over would be asked for again.
    if (asked && !settled && signal.aborted && !goesOnElsewhere(signal.reason))
      journal.stage(toKeep({ text: heard, finishReason: cutOff, quantities: {} }));
    if (!settled) reservation.release();
    if (isStop(error, signal)) throw error;
    if (error instanceof ToolNotCalled || error instanceof ExternalRefused) {
      throw new Problem(agentProblems.runFailed, { detail: error.message, cause: error });
    }
    if (settled || error instanceof Problem) throw error;
    if (definition.idempotent !== true) return parkRun(journal, 'needs_review', { seq: step.seq });
    throw new Problem(agentProblems.runFailed, { detail: 'The external agent gave no answer.', cause: error });
  }
}

/** What an agent elsewhere says it used; what it does not say is estimated from bytes, never above what was set aside. */
function usedBy(
  said: { text: string; quantities: Quantities },
  { boundAt, inputEstimate, target }: StepBudget,
): { used: { input_tokens: number; output_tokens: number }; estimated: boolean } {
  const { input_tokens: input, output_tokens: output } = said.quantities;
  const likely = atMost(
    { input_tokens: inputEstimate, output_tokens: estimateTokens(Buffer.byteLength(said.text), bytesPerTokenUnknown) },
    boundAt(target.id),
  );
  return {
    used: { input_tokens: input ?? likely.input_tokens, output_tokens: output ?? likely.output_tokens },
    estimated: input === undefined || output === undefined,
  };
}

/** What the model reads: instructions, what the caller sent, and the steps so far. */
export function conversationOf(
  definition: NativeDefinition,
  input: readonly Message[],
  steps: readonly Step[],
): Message[] {
  const messages: Message[] =
    definition.instructions === '' ? [] : [{ role: 'system', content: definition.instructions }];
  messages.push(...input);
  for (const step of steps) {
    if (step.kind !== 'model' || step.result === null || step.result.finishReason === cutOff) continue;
    const { content, toolCalls } = step.result;
    messages.push({ role: 'assistant', content, ...(toolCalls.length === 0 ? {} : { toolCalls }) });
    toolCalls.forEach((call, i) => {
      const done = steps.find((other) => other.kind === 'tool' && other.ofSeq === step.seq && other.ofCall === i);
      const text = done?.kind === 'tool' && done.result !== null ? done.result.text : '';
      messages.push({ role: 'tool', toolCallId: call.id, content: text });
    });
  }
  return messages;
}
