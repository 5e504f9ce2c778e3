import type { TraceStep } from '#kernel/http';

/**
 * A step as rows keep it: name, microseconds, detail, and the outcome unless it passed. Without the names of its members a call's row
 * stays below the size (2 KB) from which PostgreSQL compresses it, which would cost more than all else it does with the row.
 */
export type StoredStep =
  | readonly [step: string, us: number, detail: Record<string, unknown>]
  | readonly [step: string, us: number, detail: Record<string, unknown>, outcome: TraceStep['outcome']];

/** The steps as rows keep them. */
export function storeTrace(trace: readonly TraceStep[]): StoredStep[] {
  return trace.map(({ step, us, detail, outcome }) =>
    outcome === 'pass' ? [step, us, detail] : [step, us, detail, outcome],
  );
}

/** The steps of a row. */
export function readTrace(stored: readonly StoredStep[]): TraceStep[] {
  return stored.map(([step, us, detail, outcome = 'pass']) => ({ step, outcome, us, detail }));
}
