import { newId } from '#kernel/ids';
import type { Run } from './runs.ts';

/** A new run's row. */
export function newRun(
  fields: Pick<
    Run,
    | 'tenantId'
    | 'agentId'
    | 'agentVersion'
    | 'agentName'
    | 'input'
    | 'mode'
    | 'demo'
    | 'principal'
    | 'guardrails'
    | 'createdAt'
  > &
    Partial<Run>,
): Run {
  return {
    id: newId(),
    fence: 1,
    status: 'running',
    callId: null,
    foreground: true,
    parentId: null,
    parentSeq: null,
    path: [fields.agentId],
    cancelRequested: false,
    modelSteps: 0,
    tokens: 0,
    money: '0',
    currency: null,
    activeMs: 0,
    output: null,
    error: null,
    finishedAt: null,
    ...fields,
  };
}
