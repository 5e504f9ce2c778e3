import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { UnknownOutcome } from '#kernel/database-faults';
import { append, type NewEvent } from '#kernel/log';
import { Problem, problems } from '#kernel/problem';
import type { Charge } from '#metering';
import { stepEvent } from './run-events.ts';
import { holdAndWrite, holdRun, type RunState, readRun } from './run-store.ts';
import type { Run, Step } from './runs.ts';

/** Named places where a proof may kill the process: right before or after something becomes true. */
export type FaultPoint = 'after-intent' | 'after-effect' | 'before-commit' | 'after-commit';

/** Called at each {@link FaultPoint}; whatever it throws ends the drive as a crash would: nothing more is written. */
export type Faults = (point: FaultPoint, at: { runId: string; seq: number; kind: string }) => void | Promise<void>;

/** The drive of a run ends at once and writes nothing more: another engine may have it. */
export class Halt extends Error {
  readonly reason: 'deposed' | 'crash' | 'unreachable';

  constructor(reason: Halt['reason'], cause?: unknown) {
    super(`The run is driven no further here: ${reason}.`, { cause });
    this.name = 'Halt';
    this.reason = reason;
  }
}

/** What one journal write changes. */
export type Change = {
  step?: Step;
  charges?: readonly Charge[];
  state?: Partial<Omit<RunState, 'activeMs'>>;
  /** With status queued: not picked up before so many milliseconds. */
  delayMs?: number;
  events?: readonly NewEvent[];
  /** More rows of the same transaction. */
  also?: (tx: Tx) => Promise<void>;
};

// Long enough for a database restart or a failover; the fence makes late writes harmless.
const patienceMs = 60_000;

/**
 * The journal of one run as its present holder writes it. Each write is one transaction that begins with the fenced
 * `UPDATE runs`; the step, what it used and its event are kept together or not at all.
 */
export class RunJournal {
  readonly #deps: { db: Pick<Doors, 'forTenant'>; clock: Clock; faults?: Faults };
  readonly #startedAt: number;
  readonly #activeBefore: number;
  run: Run;
  readonly steps: Step[];

  constructor(deps: { db: Pick<Doors, 'forTenant'>; clock: Clock; faults?: Faults }, run: Run, steps: Step[]) {
    this.#deps = deps;
    this.#startedAt = deps.clock.monotonic();
    this.#activeBefore = run.activeMs;
    this.run = run;
    this.steps = steps;
  }

  /** Milliseconds of work on the run so far, in this drive and those before. */
  get activeMs(): number {
    return this.#activeBefore + this.#deps.clock.monotonic() - this.#startedAt;
  }

  /** The number of the next step. */
  get nextSeq(): number {
    return (this.steps.at(-1)?.seq ?? -1) + 1;
  }

  /** The present time as the journal writes it. */
  now(): string {
    return this.#deps.clock.now().toString();
  }

  /** Passes a fault point. */
  async fault(point: FaultPoint, step?: Step): Promise<void> {
    try {
      await this.#deps.faults?.(point, { runId: this.run.id, seq: step?.seq ?? -1, kind: step?.kind ?? 'run' });
    } catch (error) {
      throw new Halt('crash', error);
    }
  }

  /** Keeps a change. Throws {@link Halt} when the fence has moved on. Waits out a database that is away for a minute. */
  async keep(change: Change): Promise<void> {
    const { run } = this;
    const state: RunState = { ...run, ...change.state, activeMs: this.activeMs };
    const until = this.#deps.clock.monotonic() + patienceMs;
    let unknown = false;
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      try {
        const held = await this.#deps.db.forTenant(run.tenantId, (tx) => this.#write(tx, state, change));
        if (!held && !(unknown && (await this.#tookEffect(state)))) throw new Halt('deposed');
        break;
      } catch (error) {
        if (error instanceof UnknownOutcome) unknown = true;
        else if (!(error instanceof Problem && error.kind === problems.unavailable)) throw error;
        if (this.#deps.clock.monotonic() > until) throw new Halt('unreachable', error);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
    this.run = { ...run, ...state };
    if (change.step !== undefined) {
      const place = this.steps.findIndex((step) => step.seq === change.step?.seq);
      if (place < 0) this.steps.push(change.step);
      else this.steps[place] = change.step;
    }
    await this.fault('after-commit', change.step);
  }

  async #write(tx: Tx, state: RunState, change: Change): Promise<boolean> {
    const { step } = change;
    let written = true;
    if (step === undefined) {
      if (!(await holdRun(tx, this.run, state, change.delayMs))) return false;
    } else {
      const done = await holdAndWrite(tx, this.run, state, step);
      if (!done.held) return false;
      written = done.written;
    }
    // A step that stood there already came from a COMMIT whose answer was lost: its events were kept with it.
    if (written) {
      await change.also?.(tx);
      const now = this.#deps.clock.now();
      if (step?.status === 'done') await append(tx, stepEvent(this.run, step, change.charges ?? []), now);
      for (const event of change.events ?? []) await append(tx, event, now);
    }
    await this.fault('before-commit', step);
    return true;
  }

  /** After a COMMIT without an answer: whether it was kept. Nobody else leaves the fence as it is and sets this status. */
  async #tookEffect(state: RunState): Promise<boolean> {
    const run = await this.#deps.db.forTenant(this.run.tenantId, (tx) => readRun(tx, this.run.tenantId, this.run.id));
    return run?.fence === this.run.fence && run.status === state.status;
  }
}
