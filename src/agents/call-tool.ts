import { newId } from '#kernel/ids';
import { type Approval, insertApproval } from './approval-store.ts';
import { type DriveContext, isStop, keepIntent, stepAt } from './drive-context.ts';
import type { PlacedCall } from './next-action.ts';
import { parkRun } from './run-ending.ts';
import { runEvent } from './run-events.ts';
import type { Run, Step } from './runs.ts';
import { addMoney } from './step-budget.ts';
import { type CallResult, ChildNotOver, said, ToolNotCalled } from './tool-functions.ts';
import { checkArguments } from './validate-arguments.ts';

type ToolStep = Extract<Step, { kind: 'tool' }>;

const tries = 3;

/**
 * Makes a tool call, once for its key: intent, effect, outcome. `again` is the step that stands open when it may be repeated. In
 * doubt whether it happened, an idempotent tool is called again; any other puts the run before a person.
 */
export async function callTool(context: DriveContext, placed: PlacedCall, again: Step | undefined): Promise<void> {
  const { journal, signal, deps } = context;
  const { call } = placed;
  const tool = context.tools.get(call.name);
  const checked = checkArguments(call.arguments, tool?.spec.parameters ?? {});
  const step = toolStep(context, placed, again?.seq);
  if (tool === undefined) return keepOutcome(context, step, said(`There is no tool "${call.name}".`, true));
  if ('wrong' in checked) {
    return keepOutcome(
      context,
      { ...step, arguments: { text: call.arguments.slice(0, 10_000) } },
      said(checked.wrong, true),
    );
  }
  step.arguments = checked.args;
  await keepIntent(context, step);
  const key = step.idempotencyKey as string;
  for (let tried = 1; ; tried++) {
    const limit = tool.unhurried ? signal : AbortSignal.any([signal, AbortSignal.timeout(deps.toolTimeoutMs)]);
    let result: CallResult;
    try {
      result = await unless(limit, tool.call(checked.args, { key, seq: step.seq, signal: limit }));
    } catch (error) {
      if (isStop(error, signal)) throw error;
      if (error instanceof ChildNotOver) return parkRun(journal, 'waiting', { childOf: step.seq });
      if (!(error instanceof ToolNotCalled) && !tool.idempotent)
        return parkRun(journal, 'needs_review', { seq: step.seq });
      if (!(error instanceof ToolNotCalled) && tried < tries) continue;
      const text =
        error instanceof ToolNotCalled ? error.message : `The tool gave no answer: ${(error as Error).message}`;
      result = said(text, true);
    }
    await journal.fault('after-effect', step);
    return keepOutcome(context, step, result);
  }
}

/**
 * Opens the approvals of a model step's calls. With the last one the run is let go in the same transaction: who answers at once
 * finds it waiting. Nobody is asked about a call that cannot be made.
 */
export async function askPeople(context: DriveContext, calls: readonly PlacedCall[]): Promise<void> {
  const { journal } = context;
  const checked = calls.map((placed) => ({
    placed,
    check: checkArguments(placed.call.arguments, context.tools.get(placed.call.name)?.spec.parameters ?? {}),
  }));
  const baseOf = ({ call, ofSeq, ofCall }: PlacedCall) => ({
    ...stepAt(journal, journal.nextSeq),
    idempotencyKey: null,
    ofSeq,
    ofCall,
    tool: call.name,
  });
  for (const { placed, check } of checked) {
    if ('args' in check) continue;
    const finishedAt = journal.now();
    await journal.keep({
      step: { ...baseOf(placed), kind: 'approval', status: 'done', result: { approved: true }, finishedAt },
    });
  }
  const toAsk = checked.flatMap(({ placed, check }) => ('args' in check ? [{ placed, args: check.args }] : []));
  for (const { placed, args } of toAsk) {
    const last = placed === toAsk.at(-1)?.placed;
    const step: Step = { ...baseOf(placed), kind: 'approval', status: 'pending', arguments: args, result: null };
    const { run } = journal;
    const approval = approvalOf(run, step, placed.call.name, args);
    await journal.keep({
      step,
      ...(last ? { state: { status: 'waiting' as const } } : {}),
      events: [
        runEvent(run, 'approval.requested', { seq: step.seq, approvalId: approval.id, tool: approval.tool }),
        ...(last ? [runEvent(run, 'run.waiting', { seq: step.seq })] : []),
      ],
      also: (tx) => insertApproval(tx, approval),
    });
    context.listener.onStep?.(step);
  }
}

function approvalOf(run: Run, step: Step, tool: string, args: unknown): Approval {
  const { kind, id, name } = run.principal;
  return {
    tenantId: run.tenantId,
    id: newId(),
    runId: run.id,
    seq: step.seq,
    agentId: run.agentId,
    agentName: run.agentName,
    tool,
    arguments: args,
    status: 'pending',
    requestedBy: { kind, id, name },
    createdAt: step.startedAt,
    decidedAt: null,
    decidedBy: null,
    note: null,
  };
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

/** Tells the model that a person said no. */
export function refuseCall(context: DriveContext, placed: PlacedCall, note: string | undefined): Promise<void> {
  const words = note === undefined || note === '' ? '' : ` They said: ${note}`;
  return keepOutcome(
    context,
    toolStep(context, placed),
    said(`A person refused this call; it was not made.${words}`, true),
  );
}

function toolStep({ journal }: DriveContext, { call, ofSeq, ofCall }: PlacedCall, seq = journal.nextSeq): ToolStep {
  return { ...stepAt(journal, seq), kind: 'tool', ofSeq, ofCall, tool: call.name, result: null };
}

async function keepOutcome(context: DriveContext, step: ToolStep, { outcome, spent }: CallResult): Promise<void> {
  const { journal, listener } = context;
  const { run } = journal;
  const done: Step = { ...step, status: 'done', result: outcome, finishedAt: journal.now() };
  const state = spent && { tokens: run.tokens + spent.tokens, ...addMoney(run, spent.priced) };
  await journal.keep({ step: done, ...(state === undefined ? {} : { state }) });
  listener.onStep?.(done);
}
