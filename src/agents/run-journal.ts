import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { UnknownOutcome } from '#kernel/database-faults';
import { type NewEvent, wholeEvent } from '#kernel/log';
import { Problem, problems } from '#kernel/problem';
import type { Charge } from '#metering';
import { type RunState, writeJournal } from './journal-store.ts';
import { stepEvent } from './run-events.ts';
import { readRun } from './run-store.ts';
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
  /** Told once the change is durable. */
  kept?: () => void;
};

// Long enough for a database restart or a failover; the fence makes late writes harmless.
const patienceMs = 60_000;
const nothing = () => undefined;

/**
 * The journal of one run as its present holder writes it. Each write is one transaction that begins with the fenced
 * `UPDATE runs`; the step, what it used and its event are kept together or not at all. Writes come one after the other; what is
 * changed while one is under way goes into the next, all of it.
 */
export class RunJournal {
  readonly #deps: { db: Pick<Doors, 'forTenant'>; clock: Clock; faults?: Faults };
  readonly #startedAt: number;
  readonly #activeBefore: number;
  #run: Run;
  #steps: readonly Step[];
  #durable: { run: Run; steps: readonly Step[] };
  #staged: Change[] = [];
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | undefined;

  constructor(deps: { db: Pick<Doors, 'forTenant'>; clock: Clock; faults?: Faults }, run: Run, steps: readonly Step[]) {
    this.#deps = deps;
    this.#startedAt = deps.clock.monotonic();
    this.#activeBefore = run.activeMs;
    this.#run = run;
    this.#steps = steps;
    this.#durable = { run, steps };
  }

  /** The run with all changes; after a failed write as the last one that succeeded left it. */
  get run(): Run {
    return this.#run;
  }

  /** The steps in order, likewise. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Milliseconds of work on the run so far, in this drive and those before. */
  get activeMs(): number {
    return this.#activeBefore + this.#deps.clock.monotonic() - this.#startedAt;
  }

  /** The number of the next step. */
  get nextSeq(): number {
    return (this.#steps.at(-1)?.seq ?? -1) + 1;
  }

  /** The present time as the journal writes it. */
  now(): string {
    return this.#deps.clock.now().toString();
  }

  /** Passes a fault point. */
  async fault(point: FaultPoint, step?: Step): Promise<void> {
    try {
      await this.#deps.faults?.(point, { runId: this.#run.id, seq: step?.seq ?? -1, kind: step?.kind ?? 'run' });
    } catch (error) {
      throw this.#fail(new Halt('crash', error));
    }
  }

  /** Keeps a change. Throws {@link Halt} when the fence has moved on. Waits out a database that is away for a minute. */
  keep(change: Change): Promise<void> {
    this.stage(change);
    return this.flush();
  }

  /**
   * Makes a change that the next write keeps, in the same transaction: for what is followed at once by one that has to be durable
   * before anything happens. A crash before loses both, as if neither had been.
   */
  stage(change: Change): void {
    if (this.#failure !== undefined) return;
    this.#run = { ...this.#run, ...change.state };
    const { step } = change;
    if (step !== undefined) {
      const place = this.#steps.findIndex(({ seq }) => seq === step.seq);
      this.#steps = place < 0 ? [...this.#steps, step] : this.#steps.with(place, step);
    }
    this.#staged.push(change);
  }

  /** Resolves once everything staged so far is durable. */
  flush(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#staged.length > 0 && this.#next === undefined) {
      this.#next = this.#last.catch(nothing).then(() => this.#writeAll());
      this.#last = this.#next;
      this.#last.catch(nothing);
    }
    return this.#last;
  }

  /** After a write that failed: drops what it would have kept, so that the run's end can be written. Not after a {@link Halt}. */
  recover(): void {
    if (this.#failure !== undefined && !(this.#failure.error instanceof Halt)) this.#failure = undefined;
  }

  async #writeAll(): Promise<void> {
    this.#next = undefined;
    if (this.#failure !== undefined) throw this.#failure.error;
    const changes = this.#staged.splice(0);
    this.#run = { ...this.#run, activeMs: this.activeMs };
    const after = { run: this.#run, steps: this.#steps };
    try {
      await this.#keep(changes, after.run);
    } catch (error) {
      throw this.#fail(error);
    }
    this.#durable = after;
    for (const { step, kept } of changes) {
      await this.fault('after-commit', step);
      kept?.();
    }
  }

  /** From here on nothing more is written: what was staged is as if it had never been. */
  #fail(error: unknown): unknown {
    this.#failure ??= { error };
    ({ run: this.#run, steps: this.#steps } = this.#durable);
    this.#staged = [];
    return error;
  }

  async #keep(changes: readonly Change[], state: Run): Promise<void> {
    const until = this.#deps.clock.monotonic() + patienceMs;
    let unknown = false;
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      try {
        const held = await this.#deps.db.forTenant(state.tenantId, (tx) => this.#write(tx, changes, state));
        if (!held && !(unknown && (await this.#tookEffect(state)))) throw new Halt('deposed');
        return;
      } catch (error) {
        if (error instanceof UnknownOutcome) unknown = true;
        else if (!(error instanceof Problem && error.kind === problems.unavailable)) throw error;
        if (this.#deps.clock.monotonic() > until) throw new Halt('unreachable', error);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  async #write(tx: Tx, changes: readonly Change[], state: Run): Promise<boolean> {
    const now = this.#deps.clock.now();
    // Of a step changed twice the last is kept.
    const steps = new Map(changes.flatMap(({ step }) => (step === undefined ? [] : [[step.seq, step] as const])));
    const events = changes.flatMap(({ step, charges = [], events: more = [] }) => [
      ...(step?.status === 'done' ? [stepEvent(state, step, charges)] : []),
      ...more,
    ]);
    for (const { step } of changes) await this.fault('before-commit', step);
    const kept = {
      steps: [...steps.values()],
      events: events.map((event) => wholeEvent(event, now)),
      delayMs: changes.findLast(({ delayMs }) => delayMs !== undefined)?.delayMs ?? 0,
    };
    const also = changes.flatMap((change) => change.also ?? []);
    const { held, written } = await writeJournal(tx, this.#durable.run, state, kept, also.length > 0);
    if (held && written) for (const more of also) await more(tx);
    return held;
  }

  /** After a COMMIT without an answer: whether it was kept. Nobody else leaves the fence as it is and sets this status. */
  async #tookEffect({ tenantId, id, fence, status }: Run): Promise<boolean> {
    const run = await this.#deps.db.forTenant(tenantId, (tx) => readRun(tx, tenantId, id));
    return run?.fence === fence && run.status === status;
  }
}
