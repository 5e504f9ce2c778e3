import type { ToolCall } from '#models';
import type { ModelResult, Step } from './runs.ts';

/** The finish reason of a model call that used something and gave no answer. */
export const cutOff = 'cut';

/** A tool call of a model step, and where it stands. */
export type PlacedCall = { call: ToolCall; ofSeq: number; ofCall: number };

/** A call whose turn has come: `again` is its step that stands open and may be repeated, `refused` what a person said who said no. */
export type DueCall = { placed: PlacedCall; again?: Step; refused?: { note: string | undefined } };

/** What a journal asks for next. */
export type Action =
  | { kind: 'answer' }
  | { kind: 'ask'; calls: readonly PlacedCall[] }
  | { kind: 'call'; calls: readonly DueCall[] }
  | { kind: 'review'; step: Step }
  | { kind: 'wait' }
  | { kind: 'finish'; result: ModelResult };

/** What the rules need to know of a tool, by the name the model uses. */
export type ToolRules = { needsApproval(name: string): boolean; mayRepeat(name: string): boolean };

/**
 * What happens next in a run, read from its journal alone: so that whoever takes it over goes on at the same place. `answer`
 * is the model's turn (or the external agent's). An intent without a result is ambiguous: it is called again only if that does
 * no harm.
 */
export function nextAction(steps: readonly Step[], rules: ToolRules): Action {
  const last = steps.findLast((step) => step.kind === 'model' || step.kind === 'external');
  if (last === undefined) return { kind: 'answer' };
  if (last.status === 'retry') return { kind: 'answer' };
  if (last.status === 'intent') return rules.mayRepeat('') ? { kind: 'answer' } : { kind: 'review', step: last };
  const result = last.result as ModelResult;
  // A call that was cut off: it counts as usage, not as an answer.
  if (result.finishReason === cutOff) return { kind: 'answer' };
  if (result.toolCalls.length === 0) return { kind: 'finish', result };

  const after = steps.filter((step) => step.ofSeq === last.seq);
  const of = (kind: Step['kind'], index: number) => after.find((step) => step.kind === kind && step.ofCall === index);
  const placed = result.toolCalls.map((call, ofCall): PlacedCall => ({ call, ofSeq: last.seq, ofCall }));
  const toAsk = placed.filter(
    ({ call, ofCall }) =>
      of('tool', ofCall) === undefined && of('approval', ofCall) === undefined && rules.needsApproval(call.name),
  );
  if (toAsk.length > 0) return { kind: 'ask', calls: toAsk };
  if (after.some((step) => step.kind === 'approval' && step.status === 'pending')) return { kind: 'wait' };
  const open = placed.filter(({ ofCall }) => of('tool', ofCall)?.status !== 'done');
  const due = open.flatMap((each): DueCall[] => {
    const step = of('tool', each.ofCall);
    if (step !== undefined)
      return step.status === 'retry' || rules.mayRepeat(each.call.name) ? [{ placed: each, again: step }] : [];
    const approval = of('approval', each.ofCall);
    const no = approval?.kind === 'approval' && approval.result?.approved === false ? approval.result : undefined;
    return [{ placed: each, ...(no === undefined ? {} : { refused: { note: no.note } }) }];
  });
  // What may be done is done before a person is asked about the rest.
  if (due.length > 0) return { kind: 'call', calls: due };
  const inDoubt = open[0] && of('tool', open[0].ofCall);
  return inDoubt === undefined ? { kind: 'answer' } : { kind: 'review', step: inDoubt };
}
