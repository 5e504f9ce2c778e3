import { isTerminal, type Run, type Step } from './runs.ts';

/** Wakes readers of a run's events when something happened to it. */
export class RunBell {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Something happened. */
  ring(runId: string): void {
    const waiting = this.#waiting.get(runId);
    this.#waiting.delete(runId);
    for (const wake of waiting ?? []) wake();
  }

  /** Resolves at the next ring, after `ms`, or when the reader has gone. */
  next(runId: string, ms: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(runId) ?? new Set();
      this.#waiting.set(runId, waiting);
      const wake = () => {
        clearTimeout(timer);
        gone.removeEventListener('abort', wake);
        waiting.delete(wake);
        if (waiting.size === 0 && this.#waiting.get(runId) === waiting) this.#waiting.delete(runId);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      gone.addEventListener('abort', wake);
      waiting.add(wake);
      if (gone.aborted) wake();
    });
  }
}

/** One event of a run. `id` is there for steps that are done, in order without gaps: a reader resumes after it. */
export type RunEvent = { event: 'step'; data: Step; id?: number } | { event: 'run'; data: Run };

const lookAgainMs = 1_000;

/**
 * What happens in a run from after step `after` on, until it is over or the reader has gone. A step that is not done is shown
 * without an id, each time it changes; a run that waits for a person is shown, and the stream stays open.
 */
export async function* eventsOfRun(
  read: { run(): Promise<Run>; steps(from: number): Promise<Step[]>; bell: RunBell; mayStay(): boolean },
  runId: string,
  after: number,
  gone: AbortSignal,
): AsyncGenerator<RunEvent> {
  let next = after + 1;
  let shownStatus = '';
  const shown = new Map<number, string>();
  while (!gone.aborted && read.mayStay()) {
    const rung = read.bell.next(runId, lookAgainMs, gone);
    // The run before its steps: once it is over, all of them are there.
    const run = await read.run();
    for (const step of await read.steps(next)) {
      const inOrder = step.seq === next;
      if (step.status === 'done' && inOrder) {
        next++;
        yield { event: 'step', data: step, id: step.seq };
      } else if (shown.get(step.seq) !== step.status) {
        shown.set(step.seq, step.status);
        yield { event: 'step', data: step };
      }
    }
    if (run.status !== shownStatus) {
      shownStatus = run.status;
      yield { event: 'run', data: run };
    }
    if (isTerminal(run.status)) return;
    await rung;
  }
}
