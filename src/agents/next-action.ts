import type { ToolCall } from '#models';
import type { ModelResult, Step } from './runs.ts';

/** The finish reason of a model call that used something and gave no answer. */
export const cutOff = 'cut';

/** A tool call of a model step, and where it stands. */
export type PlacedCall = { call: ToolCall; ofSeq: number; ofCall: number };

/** What a journal asks for next. */
export type Action =
  | { kind: 'answer' }
  | { kind: 'ask'; calls: readonly PlacedCall[] }
  | { kind: 'tool'; placed: PlacedCall; again: Step | undefined }
  | { kind: 'refuse'; placed: PlacedCall; note: string | undefined }
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
  for (const each of placed) {
    const step = of('tool', each.ofCall);
    if (step?.status === 'done') continue;
    if (step === undefined) {
      const approval = of('approval', each.ofCall);
      if (approval?.kind === 'approval' && approval.result?.approved === false) {
        return { kind: 'refuse', placed: each, note: approval.result.note };
      }
      return { kind: 'tool', placed: each, again: undefined };
    }
    if (step.status === 'retry' || rules.mayRepeat(each.call.name)) return { kind: 'tool', placed: each, again: step };
    return { kind: 'review', step };
  }
  return { kind: 'answer' };
}
