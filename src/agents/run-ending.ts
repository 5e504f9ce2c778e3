import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import type { Problem } from '#kernel/problem';
import { cancelApprovals } from './approval-store.ts';
import type { DriveContext } from './drive-context.ts';
import { runEvent, usageData } from './run-events.ts';
import type { Change, RunJournal } from './run-journal.ts';
import { queueIfChildIsOver, wakeParent } from './run-store.ts';
import type { ModelResult, Run, RunError } from './runs.ts';
import { addMoney, runPriceOf, usageOf } from './step-budget.ts';

/**
 * Ends a run with its answer, in the transaction of its last step when there is one. The run's own price (`agent.run`) is due now,
 * once; what it takes from the limits was settled with the last step.
 */
export async function finishRun({ deps, journal }: DriveContext, result: ModelResult, last?: Change): Promise<void> {
  const run: Run = { ...journal.run, ...last?.state };
  const priced = runPriceOf(deps.billing, run);
  const at = journal.now();
  const usage =
    run.parentId === null ? usageOf(run, 'run', newId(), { type: 'agent.run', quantities: { runs: 1 }, priced }) : null;
  await journal.keep({
    ...last,
    state: {
      ...last?.state,
      ...addMoney(run, priced),
      status: 'finished',
      output: { text: result.content, finishReason: result.finishReason },
      finishedAt: at,
    },
    events: [...(last?.events ?? []), runEvent(run, 'run.finished', usageData(usage, []))],
    also: (tx) => tellParent(tx, run),
  });
}

/** Ends a run without an answer. */
export async function endWithoutAnswer(
  journal: RunJournal,
  status: 'failed' | 'cancelled',
  error: RunError,
): Promise<void> {
  const { run } = journal;
  await journal.keep({
    state: { status, error, finishedAt: journal.now() },
    events: [runEvent(run, `run.${status}`, { code: error.code })],
    also: async (tx) => {
      await cancelApprovals(tx, run.tenantId, run.id);
      await tellParent(tx, run);
    },
  });
}

/** Lets go of a run that cannot go on at once: no process holds it until a person, a child run or time wakes it. */
export async function parkRun(
  journal: RunJournal,
  status: 'waiting' | 'needs_review' | 'queued',
  why: { seq?: number; childOf?: number; delayMs?: number } = {},
): Promise<void> {
  const { run } = journal;
  const { childOf, seq, delayMs } = why;
  const type = status === 'waiting' ? 'run.waiting' : status === 'queued' ? 'run.queued' : 'run.review_needed';
  await journal.keep({
    state: { status },
    ...(delayMs === undefined ? {} : { delayMs }),
    events: [runEvent(run, type, seq === undefined ? {} : { seq })],
    ...(childOf === undefined ? {} : { also: (tx) => queueIfChildIsOver(tx, run, childOf) }),
  });
}

/** How a problem is kept on the run it ended. */
export function errorOf(problem: Problem): RunError {
  const { kind, details } = problem;
  return {
    code: kind.type,
    detail: details.detail ?? kind.title,
    status: kind.status,
    ...(details.extra === undefined ? {} : { extra: details.extra }),
  };
}

async function tellParent(tx: Parameters<typeof wakeParent>[0], run: Run): Promise<void> {
  if (run.parentId === null) return;
  if (await wakeParent(tx, run.tenantId, run.parentId)) {
    await append(tx, { ...runEvent(run, 'run.queued'), subject: { kind: 'run', id: run.parentId } });
  }
}
