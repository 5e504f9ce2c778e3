import { answer } from './ask-model.ts';
import { askPeople } from './ask-people.ts';
import { callTools } from './call-tools.ts';
import type { DriveContext } from './drive-context.ts';
import { nextAction, type ToolRules } from './next-action.ts';
import { finishRun, parkRun } from './run-ending.ts';

/**
 * Takes a run from where its journal stands until it is over or parked. Throws Problems (a limit, a guardrail, a provider), the
 * signal's reason when stopped, or Halt when another engine has it.
 */
export async function driveRun(context: DriveContext): Promise<void> {
  const { journal, signal } = context;
  const rules = rulesOf(context);
  while (journal.run.status === 'running') {
    signal.throwIfAborted();
    if (context.draining() && !journal.run.foreground) return parkRun(journal, 'queued');
    const action = nextAction(journal.steps, rules);
    if (action.kind === 'answer') await answer(context);
    else if (action.kind === 'call') await callTools(context, action.calls);
    else if (action.kind === 'ask') await askPeople(context, action.calls);
    else if (action.kind === 'wait') await parkRun(journal, 'waiting');
    else if (action.kind === 'review') await parkRun(journal, 'needs_review', { seq: action.step.seq });
    else await finishRun(context, action.result);
  }
}

function rulesOf({ definition, tools }: DriveContext): ToolRules {
  return {
    needsApproval: (name) => tools.get(name)?.needsApproval === true,
    mayRepeat: (name) =>
      definition.kind === 'external' ? definition.idempotent === true : tools.get(name)?.idempotent === true,
  };
}
