import { setImmediate as nextTurn } from 'node:timers/promises';

import { type DriveContext, isStop, stepAt } from './drive-context.ts';
import type { DueCall } from './next-action.ts';
import { parkRun } from './run-ending.ts';
import type { Step } from './runs.ts';
import { addMoney } from './step-budget.ts';
import { type CallResult, ChildNotOver, said, type ToolFunction, ToolNotCalled } from './tool-functions.ts';
import { checkArguments } from './validate-arguments.ts';

type ToolStep = Extract<Step, { kind: 'tool' }>;

/** A call with all it needs, or with its outcome where it is not made. */
type Prepared = { step: ToolStep } & ({ tool: ToolFunction; args: Record<string, unknown> } | { result: CallResult });

const tries = 3;
/** Calls of one model step under way at a time. */
const lanes = 8;

/**
 * Makes the tool calls whose turn has come, several at a time, each once for its key: intent, effect, outcome. Steps are numbered in
 * the order of the calls, whichever ends first; intents and outcomes that come together share a transaction. In doubt whether a
 * call happened, an idempotent tool is called again; any other puts the run before a person once the other calls are over.
 */
export async function callTools(context: DriveContext, due: readonly DueCall[]): Promise<void> {
  const { journal } = context;
  const others = new AbortController();
  const together = { ...context, signal: AbortSignal.any([context.signal, others.signal]) };
  let seq = journal.nextSeq;
  const queue = due.map((each) => ({ each, seq: each.again?.seq ?? seq++ }));
  const inDoubt: number[] = [];
  const waitFor: number[] = [];
  // Agents take turns: they share the run's guardrails, and its one slot under limits of concurrency.
  let turn: Promise<unknown> = Promise.resolve();
  const make = async (tool: ToolFunction, args: Record<string, unknown>, step: ToolStep): Promise<void> => {
    const result = await effect(together, tool, args, step);
    if (result === 'in doubt') inDoubt.push(step.seq);
    else if (result === 'not over') waitFor.push(step.seq);
    else {
      await journal.fault('after-effect', step);
      stageOutcome(context, step, result);
    }
  };
  const lane = async (): Promise<void> => {
    let begun = false;
    for (let next = queue.shift(); next !== undefined; next = mayGoOn(context) ? queue.shift() : undefined) {
      const prepared = prepare(context, next.each, next.seq);
      const { step } = prepared;
      if ('result' in prepared) {
        stageOutcome(context, step, prepared.result);
        continue;
      }
      journal.stage({ step, kept: () => context.listener.onStep?.(step) });
      // Outcomes of this turn of the event loop go along.
      if (begun) await nextTurn();
      begun = true;
      await journal.flush();
      await journal.fault('after-intent', step);
      const call = () => make(prepared.tool, prepared.args, step);
      const made = prepared.tool.unhurried ? turn.then(call) : call();
      if (prepared.tool.unhurried) turn = made;
      await made;
    }
    if (begun) await nextTurn();
    await journal.flush();
  };
  const ends = await Promise.allSettled(
    Array.from({ length: Math.min(lanes, queue.length) }, () =>
      lane().catch((error: unknown) => {
        others.abort(error);
        throw error;
      }),
    ),
  );
  if (ends.some(({ status }) => status === 'rejected')) throw others.signal.reason;
  if (inDoubt.length > 0) await parkRun(journal, 'needs_review', { seq: Math.min(...inDoubt) });
  else if (waitFor.length > 0) await parkRun(journal, 'waiting', { childOf: Math.min(...waitFor) });
}

/** A process that ends begins no more calls of what another can go on with. */
function mayGoOn({ journal, draining, signal }: DriveContext): boolean {
  return !signal.aborted && (journal.run.foreground || !draining());
}

function prepare(context: DriveContext, { placed, refused }: DueCall, seq: number): Prepared {
  const { call, ofSeq, ofCall } = placed;
  const tool = context.tools.get(call.name);
  const checked = checkArguments(call.arguments, tool?.spec.parameters ?? {});
  const step: ToolStep = {
    ...stepAt(context.journal, seq),
    kind: 'tool',
    ofSeq,
    ofCall,
    tool: call.name,
    result: null,
  };
  if (refused !== undefined) {
    const words = refused.note === undefined || refused.note === '' ? '' : ` They said: ${refused.note}`;
    return { step, result: said(`A person refused this call; it was not made.${words}`, true) };
  }
  if (tool === undefined) return { step, result: said(`There is no tool "${call.name}".`, true) };
  if ('wrong' in checked) {
    step.arguments = { text: call.arguments.slice(0, 10_000) };
    return { step, result: said(checked.wrong, true) };
  }
  step.arguments = checked.args;
  return { step, tool, args: checked.args };
}

/** Calls a tool, again while that does no harm. Throws only what ends the drive. */
async function effect(
  { signal, deps }: DriveContext,
  tool: ToolFunction,
  args: Record<string, unknown>,
  step: ToolStep,
): Promise<CallResult | 'in doubt' | 'not over'> {
  const key = step.idempotencyKey as string;
  for (let tried = 1; ; tried++) {
    const limit = tool.unhurried ? signal : AbortSignal.any([signal, AbortSignal.timeout(deps.toolTimeoutMs)]);
    try {
      return await unless(limit, tool.call(args, { key, seq: step.seq, signal: limit }));
    } catch (error) {
      if (isStop(error, signal)) throw error;
      if (error instanceof ChildNotOver) return 'not over';
      if (error instanceof ToolNotCalled) return said(error.message, true);
      if (!tool.idempotent) return 'in doubt';
      if (tried === tries) return said(`The tool gave no answer: ${(error as Error).message}`, true);
    }
  }
}

/** What a call gives, or the signal's reason as soon as it aborts: also for a tool that does not listen to its signal. */
async function unless<T>(signal: AbortSignal, call: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    return await Promise.race([call, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function stageOutcome({ journal, listener }: DriveContext, step: ToolStep, { outcome, spent }: CallResult): void {
  const { run } = journal;
  const done: Step = {
    ...step,
    status: 'done',
    result: outcome,
    below: spent?.below ?? null,
    finishedAt: journal.now(),
  };
  const state = spent && { tokens: run.tokens + spent.tokens, ...addMoney(run, spent.priced) };
  journal.stage({
    step: done,
    ...(state === undefined ? {} : { state }),
    kept: () => listener.onStep?.(done),
  });
}
