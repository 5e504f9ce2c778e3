import { newId } from '#kernel/ids';
import { type Approval, insertApproval } from './approval-store.ts';
import { type DriveContext, stepAt } from './drive-context.ts';
import type { PlacedCall } from './next-action.ts';
import { runEvent } from './run-events.ts';
import type { Run, Step } from './runs.ts';
import { checkArguments } from './validate-arguments.ts';

/**
 * Opens the approvals of a model step's calls, all in one transaction, and lets go of the run in it: who answers at once finds it
 * waiting. Nobody is asked about a call that cannot be made.
 */
export async function askPeople(context: DriveContext, calls: readonly PlacedCall[]): Promise<void> {
  const { journal, listener } = context;
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
    journal.stage({
      step: { ...baseOf(placed), kind: 'approval', status: 'done', result: { approved: true }, finishedAt },
    });
  }
  const toAsk = checked.flatMap(({ placed, check }) => ('args' in check ? [{ placed, args: check.args }] : []));
  for (const { placed, args } of toAsk) {
    const last = placed === toAsk.at(-1)?.placed;
    const step: Step = { ...baseOf(placed), kind: 'approval', status: 'pending', arguments: args, result: null };
    const { run } = journal;
    const approval = approvalOf(run, step, placed.call.name, args);
    journal.stage({
      step,
      ...(last ? { state: { status: 'waiting' as const } } : {}),
      events: [
        runEvent(run, 'approval.requested', { seq: step.seq, approvalId: approval.id, tool: approval.tool }),
        ...(last ? [runEvent(run, 'run.waiting', { seq: step.seq })] : []),
      ],
      also: (tx) => insertApproval(tx, approval),
      kept: () => listener.onStep?.(step),
    });
  }
  await journal.flush();
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
