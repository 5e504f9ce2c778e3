import type { Context, Principal, TraceStep } from '#kernel/http';
import type { LeftOut, Message, ToolCall } from '#models';
import type { Bounds } from './definitions.ts';
import type { StepUsage } from './ports.ts';

/** State of a run. Terminal: finished, failed, cancelled. */
export type RunStatus = 'queued' | 'running' | 'waiting' | 'needs_review' | 'finished' | 'failed' | 'cancelled';

/** The answer of a run. */
export type RunOutput = { text: string; finishReason: string };

/** Why a run ended without one; `status` and `extra` let a waiting client be answered with the same problem. */
export type RunError = { code: string; detail: string; status?: number; extra?: Record<string, unknown> };

/** A run as the journal holds it. */
export type Run = {
  tenantId: string;
  id: string;
  fence: number;
  status: RunStatus;
  agentId: string;
  agentVersion: number;
  agentName: string;
  input: readonly Message[];
  mode: 'live' | 'test';
  demo: boolean;
  principal: Principal;
  callId: string | null;
  guardrails: Bounds;
  foreground: boolean;
  parentId: string | null;
  parentSeq: number | null;
  path: readonly string[];
  cancelRequested: boolean;
  modelSteps: number;
  tokens: number;
  money: string;
  currency: string | null;
  activeMs: number;
  output: RunOutput | null;
  error: RunError | null;
  createdAt: string;
  finishedAt: string | null;
};

/** What a call's row says of the request that started its run. */
export type Front = { origin: Context['origin']; trace: readonly TraceStep[]; stream: boolean };

/** What a model step left. */
export type ModelResult = { content: string; toolCalls: readonly ToolCall[]; finishReason: string };

/** What a tool step left; the model reads `text`. */
export type ToolOutcome = { text: string; isError: boolean; reviewedBy?: { kind: string; id: string; name?: string } };

/** What a person decided. */
export type ApprovalOutcome = { approved: boolean; note?: string };

/**
 * What was set aside under limits: tokens, and money as a decimal string (null where nothing is priced). `leftOut`: fallbacks of a
 * step's model that could not have answered under them.
 */
export type Reserved = { tokens: number; money: string | null; leftOut?: readonly LeftOut[] };

/** What steps set aside and used in all. Money as decimal strings; a cost in several currencies has no sum. */
export type Spending = {
  reserved: Reserved | null;
  /** By meter name. */
  quantities: Readonly<Record<string, number>>;
  estimated: boolean;
  price: string | null;
  currency: string | null;
  cost: string | null;
  costCurrency: string | null;
  /** Of the tenant's own provider keys. */
  ownCost?: string;
  ownCostCurrency?: string;
};

/** A step of a run as the journal holds it; the result is there once `status` is done. */
export type Step = {
  runId: string;
  seq: number;
  status: 'intent' | 'pending' | 'retry' | 'done';
  /** Tools and approvals: the model step and the place in its list of calls. */
  ofSeq: number | null;
  ofCall: number | null;
  tool: string | null;
  arguments: unknown;
  idempotencyKey: string | null;
  usage: StepUsage | null;
  reserved: Reserved | null;
  /** A tool that is another agent: what its run and those below it spent. */
  below: Spending | null;
  startedAt: string;
  finishedAt: string | null;
} & (
  | { kind: 'model' | 'external'; result: ModelResult | null }
  | { kind: 'tool'; result: ToolOutcome | null }
  | { kind: 'approval'; result: ApprovalOutcome | null }
);

/** True when nothing will happen to a run any more. */
export function isTerminal(status: RunStatus): boolean {
  return status === 'finished' || status === 'failed' || status === 'cancelled';
}
