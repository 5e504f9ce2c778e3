import type { Cause } from '#kernel/cause';
import type { Doors } from '#kernel/database';
import { UnknownOutcome } from '#kernel/database-faults';
import { wholeEvent } from '#kernel/log';
import type { Logger } from '#kernel/logger';
import { Problem, problems } from '#kernel/problem';
import { claimRuns } from './claim-store.ts';
import { type DriveContext, goesOnElsewhere, type RunListener, type StepDeps, Stop } from './drive-context.ts';
import { driveRun } from './drive-run.ts';
import { endWithoutAnswer, errorOf, parkRun } from './run-ending.ts';
import { runEvent } from './run-events.ts';
import { type Faults, Halt, RunJournal } from './run-journal.ts';
import { insertRun, readRun, readSteps, renewLeases } from './run-store.ts';
import type { Front, Run, Step } from './runs.ts';
import { guardrailReached } from './step-budget.ts';
import type { AgentVersion } from './store.ts';
import type { RunAgent, Toolbox } from './toolbox.ts';
import { isAway, patiently } from './while-away.ts';

/** What an engine is made of. */
export type EngineDeps = StepDeps & {
  db: Pick<Doors, 'forTenant' | 'forService'>;
  nodeId: string;
  log: Logger;
  toolbox: Pick<Toolbox, 'open'>;
  /** An immutable version. */
  versionOf(tenantId: string, agentId: string, version: number): Promise<AgentVersion>;
  /** Headers of an external agent's version, unsealed. */
  secretsOf(version: AgentVersion): Record<string, string>;
  /** False for tenants whose runs must stand still: suspended ones. */
  isActive(tenantId: string): boolean;
  /** For proofs: dies at named points. */
  faults?: Faults;
};

/** How a drive ended. `problem` is why a run failed here; `halted`: it is not this engine's any more, and goes on elsewhere. */
export type Driven = {
  run: Run;
  steps: readonly Step[];
  problem: Problem | undefined;
  halted?: Halt['reason'] | undefined;
};

type Active = { run: Run; controller: AbortController; done: Promise<unknown> };

const renewMs = 1_000;
// How long a suspended tenant's queued run is left alone.
const suspendedMs = 30_000;
// Refused for the moment only: a run in background comes back later.
const passing = new Set(['budget-reserved', 'concurrency-limited', 'rate-limited']);

/** Drives runs in this process, each under its lease and fence; holds the leases on while it does. */
export class RunEngine {
  readonly #deps: EngineDeps;
  readonly #active = new Map<string, Active>();
  readonly #runAgent: (parent: () => Run) => RunAgent;
  #renewal: NodeJS.Timeout | undefined;
  #draining = false;
  #handingOver = false;

  constructor(deps: EngineDeps, runAgent: (engine: RunEngine, parent: () => Run) => RunAgent) {
    this.#deps = deps;
    this.#runAgent = (parent) => runAgent(this, parent);
  }

  /** Runs driven at the moment. */
  get active(): number {
    return this.#active.size;
  }

  /** True once this process lets go of its runs so that others go on with them. */
  get handingOver(): boolean {
    return this.#handingOver;
  }

  /** Writes a new run; undefined when the parent's step has one already. A running one is this engine's to drive. */
  async begin(run: Run, cause: Omit<Cause, 'actor' | 'onBehalfOf'> = {}, front?: Front): Promise<Run | undefined> {
    const { db, nodeId, clock } = this.#deps;
    const told = runEvent(run, 'run.started', { status: run.status, parentId: run.parentId });
    const event = wholeEvent({ ...told, ...cause }, clock.now());
    const write = db.forTenant(run.tenantId, (tx) => insertRun(tx, run, { nodeId, front, event }));
    const made = await write.catch(async (error: unknown) => {
      if (!(error instanceof UnknownOutcome)) throw error;
      const kept = await db.forTenant(run.tenantId, (tx) => readRun(tx, run.tenantId, run.id));
      if (kept === undefined) throw new Problem(problems.unavailable, { cause: error });
      return true;
    });
    return made ? run : undefined;
  }

  /** Takes up to `limit` runs that nobody holds: queued ones and, unless `lost` is false, those whose holder fell silent. */
  claim(limit: number, lost = true): Promise<Run[]> {
    return this.#deps.db.forService('lease_keeper', (tx) => claimRuns(tx, this.#deps.nodeId, limit, lost));
  }

  /** Drives a run that this engine holds until it is over, parked, or somebody else's. `client`: who waits has gone. */
  drive(run: Run, listener: RunListener = {}, client?: AbortSignal): Promise<Driven> {
    const controller = new AbortController();
    const done = this.#drive(run, listener, controller, client);
    const active: Active = { run, controller, done };
    // Driven here already, it was lost for a moment: the older drive can write nothing more.
    this.#active.get(run.id)?.controller.abort(new Halt('deposed'));
    this.#active.set(run.id, active);
    this.#renewal ??= setInterval(() => void this.#renew(), renewMs).unref();
    return done.finally(() => {
      // Driven here anew meanwhile, it is another drive's.
      if (this.#active.get(run.id) === active) this.#active.delete(run.id);
      if (this.#active.size > 0) return;
      clearInterval(this.#renewal);
      this.#renewal = undefined;
    });
  }

  /** Stops a run that is driven here; false when it is not. */
  cancel(runId: string): boolean {
    const active = this.#active.get(runId);
    active?.controller.abort(new Stop('cancel'));
    return active !== undefined;
  }

  /** Lets runs in background go back to the queue after their step, and waits for the others. */
  async drain(): Promise<void> {
    this.#draining = true;
    await Promise.allSettled([...this.#active.values()].map(({ done }) => done));
  }

  /** Lets go of every run where it stands, those of clients that wait too: another process goes on from its journal. */
  handOver(): void {
    this.#draining = true;
    this.#handingOver = true;
    for (const { controller } of this.#active.values()) controller.abort(new Stop('hand-over'));
  }

  async #drive(
    run: Run,
    listener: RunListener,
    controller: AbortController,
    client: AbortSignal | undefined,
  ): Promise<Driven> {
    const { signal } = controller;
    // The client of a run that an agent asked for is that agent's run: where it goes on, this one does.
    const gone = () => controller.abort(goesOnElsewhere(client?.reason) ? client?.reason : new Stop('client'));
    if (client?.aborted) gone();
    client?.addEventListener('abort', gone, { once: true });
    const leftMs = Math.max(0, run.guardrails.maxSeconds * 1_000 - run.activeMs);
    const timer = setTimeout(() => controller.abort(new Stop('time')), Math.min(leftMs, 2 ** 31 - 1));
    if (run.cancelRequested) controller.abort(new Stop('cancel'));
    if (this.#handingOver) controller.abort(new Stop('hand-over'));
    let journal = new RunJournal(this.#deps, run, []);
    let ended: { problem?: Problem; halted?: Halt['reason'] } = {};
    try {
      // A run fresh from its first writer has no steps yet.
      if (run.fence > 1) {
        const { db } = this.#deps;
        const read = () => db.forTenant(run.tenantId, (tx) => readSteps(tx, run.tenantId, run.id));
        journal = new RunJournal(this.#deps, run, await this.#waiting(run, signal, read));
      }
      if (!run.foreground && !this.#deps.isActive(run.tenantId)) {
        await parkRun(journal, 'queued', { delayMs: suspendedMs });
      } else {
        const begun = journal;
        await this.#waiting(run, signal, async () => driveRun(await this.#prepare(begun, listener, signal)));
      }
    } catch (error) {
      ended = await this.#endBadly(journal, signal.aborted && !(error instanceof Halt) ? signal.reason : error);
    } finally {
      clearTimeout(timer);
      client?.removeEventListener('abort', gone);
    }
    return { run: journal.run, steps: journal.steps, problem: ended.problem, halted: ended.halted };
  }

  /**
   * Does a part of a foreground run again while the database is away, for a client waits: what says so comes before any effect of a
   * step (the journal itself waits). Runs in background go back to the queue instead.
   */
  #waiting<T>(run: Run, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return run.foreground ? patiently(work, signal) : work();
  }

  async #prepare(journal: RunJournal, listener: RunListener, signal: AbortSignal): Promise<DriveContext> {
    const { toolbox, versionOf, secretsOf } = this.#deps;
    const { run } = journal;
    const version = await versionOf(run.tenantId, run.agentId, run.agentVersion);
    const { definition } = version;
    const uses = definition.kind === 'native' ? (definition.tools ?? []) : [];
    const tools = await toolbox.open(
      run,
      uses,
      this.#runAgent(() => journal.run),
    );
    return {
      deps: this.#deps,
      journal,
      definition,
      secrets: () => secretsOf(version),
      tools,
      listener,
      signal,
      // A suspended tenant's run goes back to the queue between two steps as well.
      draining: () => this.#draining || !this.#deps.isActive(run.tenantId),
    };
  }

  /** Writes how a run ended that did not end by itself; writes nothing when it is somebody else's. */
  async #endBadly(journal: RunJournal, error: unknown): Promise<{ problem?: Problem; halted?: Halt['reason'] }> {
    const { log } = this.#deps;
    journal.recover();
    const { run } = journal;
    const about = { tenantId: run.tenantId, runId: run.id };
    try {
      if (error instanceof Halt) {
        // What is staged meets the fence, and is as if it had never been: nobody takes it for a step of the run.
        await journal.flush().catch(() => undefined);
        log.warn({ ...about, reason: error.reason }, 'the run is driven no further here');
        return { halted: error.reason };
      }
      if (error instanceof Stop && error.reason === 'hand-over') {
        await parkRun(journal, 'queued');
        return {};
      }
      if (error instanceof Stop && error.reason !== 'time') {
        await endWithoutAnswer(journal, 'cancelled', {
          code: 'cancelled',
          detail: `Ended by the ${error.reason === 'client' ? 'client, which has gone' : 'caller'}.`,
        });
        return {};
      }
      const { maxSeconds } = run.guardrails;
      const problem =
        error instanceof Stop
          ? guardrailReached('maxSeconds', maxSeconds, Math.round(journal.activeMs / 1_000))
          : error instanceof Problem
            ? error
            : new Problem(error instanceof UnknownOutcome ? problems.unavailable : problems.internal, { cause: error });
      if (!run.foreground && (isAway(problem) || passing.has(problem.kind.type))) {
        const seconds = Number(problem.details.headers?.['retry-after'] ?? 2);
        await parkRun(journal, 'queued', { delayMs: Math.min(300, Math.max(1, seconds)) * 1_000 });
        return {};
      }
      if (problem.kind === problems.internal) log.error({ ...about, err: error }, 'a run failed');
      await endWithoutAnswer(journal, 'failed', errorOf(problem));
      return { problem };
    } catch (failure) {
      if (!(failure instanceof Halt)) log.error({ ...about, err: failure }, 'the end of a run could not be written');
      return {
        ...(error instanceof Problem ? { problem: error } : {}),
        halted: failure instanceof Halt ? failure.reason : 'unreachable',
      };
    }
  }

  /** Holds all runs on in one statement. A run not held any more, or asked to end, is stopped here. */
  async #renew(): Promise<void> {
    const asked = [...this.#active.values()];
    try {
      const held = await this.#deps.db.forService('lease_keeper', (tx) =>
        renewLeases(
          tx,
          asked.map(({ run }) => run),
        ),
      );
      for (const { run, controller } of asked) {
        const kept = held.get(run.id);
        if (kept === undefined) controller.abort(new Halt('deposed'));
        else if (kept.cancelRequested) controller.abort(new Stop('cancel'));
      }
    } catch (error) {
      this.#deps.log.debug({ err: error }, 'leases of runs could not be renewed');
    }
  }
}
