import { AsyncLocalStorage } from 'node:async_hooks';

import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import type { Principal } from '#kernel/http';
import { append } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { notFound, Problem, problems } from '#kernel/problem';
import type { Message } from '#models';
import { cancelApprovals } from './approval-store.ts';
import { boundsOf } from './definitions.ts';
import type { RunListener } from './drive-context.ts';
import { newRun } from './new-run.ts';
import type { Driven, RunEngine } from './run-engine.ts';
import { runEvent } from './run-events.ts';
import {
  childOf,
  decideStep,
  listRuns,
  openChildren,
  readRun,
  readSteps,
  requestCancel,
  takeRun,
  wakeParent,
} from './run-store.ts';
import { type Front, isTerminal, type Run, type RunStatus, type Step } from './runs.ts';
import type { AgentVersion } from './store.ts';
import { outcome } from './tool-functions.ts';

/** An agent as a reference resolves. */
export type ResolvedAgent = { agentId: string; name: string; version: number };

/** What starts a run. */
export type RunRequest = {
  principal: Principal;
  agent: ResolvedAgent;
  messages: readonly Message[];
  callId: string | null;
  demo: boolean;
  /** Who waits: the run is cancelled when it aborts. */
  signal?: AbortSignal;
  listener?: RunListener;
  /** What the call's row will say of the request. */
  front?: Front;
  cause?: Pick<Cause, 'origin' | 'requestId' | 'decision'>;
};

/** What a person decides about a run in review. */
export type Review = { decision: 'result' | 'retry' | 'fail'; result?: string; note?: string };

/** What runs are managed with. */
export type RunManagerDeps = {
  db: Pick<Doors, 'forTenant'>;
  clock: Clock;
  engine: RunEngine;
  /** Tells this process's worker, if it has one, that a run is free. */
  poke(): void;
  versionOf(tenantId: string, agentId: string, version: number): Promise<AgentVersion>;
};

const open: readonly RunStatus[] = ['queued', 'running', 'waiting', 'needs_review'];
const cancelPatienceMs = 3_000;

/** Starts runs, shows them, and takes what people decide about them. */
export class RunManager {
  readonly #deps: RunManagerDeps;
  // A cancel waits for the run's holder: inside a request's joint transaction that holder would wait for it.
  readonly #outside = AsyncLocalStorage.snapshot();

  constructor(deps: RunManagerDeps) {
    this.#deps = deps;
  }

  /** Runs an agent in this process for a client that waits; ends with its answer, its failure or where it has to wait. */
  async runInForeground(request: RunRequest): Promise<Driven> {
    const run = await this.#rowOf(request, true);
    await this.#deps.engine.begin(run, request.cause, request.front);
    return this.#deps.engine.drive(run, request.listener, request.signal);
  }

  /** Queues a run for the background. */
  async runInBackground(request: RunRequest): Promise<Run> {
    const run = await this.#rowOf(request, false);
    await this.#deps.engine.begin(run, request.cause, request.front);
    this.#deps.poke();
    return run;
  }

  /** One run; 404. */
  async getRun(tenantId: string, id: string): Promise<Run> {
    const run = await this.#deps.db.forTenant(tenantId, (tx) => readRun(tx, tenantId, id));
    if (run === undefined) throw notFound('run');
    return run;
  }

  /** Steps of a run from `from` on. */
  getSteps(tenantId: string, id: string, from = 0): Promise<Step[]> {
    return this.#deps.db.forTenant(tenantId, (tx) => readSteps(tx, tenantId, id, from));
  }

  /** Runs, newest first. */
  async listRuns(
    tenantId: string,
    filter: { agentId?: string; agents?: readonly string[]; status?: RunStatus; before?: string },
    limit: number,
  ): Promise<Page<Run>> {
    const rows = await this.#deps.db.forTenant(tenantId, (tx) =>
      listRuns(tx, tenantId, { ...filter, limit: limit + 1 }),
    );
    return pageOf(rows, limit, (run) => [run.id]);
  }

  /**
   * Cancels a run. Its holder is asked first, so that what it used so far is settled; one that does not answer is deposed. The runs
   * it asked for end after it (see childSubscriber). 409 when the run is over already.
   */
  cancelRun(tenantId: string, id: string, cause: Cause): Promise<Run> {
    return this.#outside(() => this.#cancel(tenantId, id, cause));
  }

  /** Cancels what a run asked for and has not ended. */
  async cancelBelow(tenantId: string, id: string, cause: Cause): Promise<void> {
    const children = await this.#deps.db.forTenant(tenantId, (tx) => openChildren(tx, tenantId, id));
    for (const child of children) await this.#cancelOpen(tenantId, child.id, cause);
  }

  /** Cancels a run whose client has gone, whoever has it. Not when this process sends its clients away because it ends. */
  async endForClient(tenantId: string, id: string): Promise<void> {
    if (this.#deps.engine.handingOver) return;
    const { kind, id: who, name } = (await this.getRun(tenantId, id)).principal;
    await this.#cancelOpen(tenantId, id, { actor: { kind, id: who, name } });
  }

  /** Cancels a run unless it is over. */
  async #cancelOpen(tenantId: string, id: string, cause: Cause): Promise<void> {
    await this.cancelRun(tenantId, id, cause).catch((error: unknown) => {
      if (!(error instanceof Problem && error.kind === problems.conflict)) throw error;
    });
  }

  async #cancel(tenantId: string, id: string, cause: Cause): Promise<Run> {
    const { db, engine } = this.#deps;
    const run = await this.getRun(tenantId, id);
    if (isTerminal(run.status)) throw new Problem(problems.conflict, { detail: `The run is ${run.status} already.` });
    if (await db.forTenant(tenantId, (tx) => requestCancel(tx, tenantId, id))) {
      engine.cancel(id);
      const until = performance.now() + cancelPatienceMs;
      while (performance.now() < until) {
        const now = await this.getRun(tenantId, id);
        if (isTerminal(now.status)) return now;
        if (now.status !== 'running') break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    const ended = await this.#take(run, open, 'cancelled', cause, {
      error: { code: 'cancelled', detail: `Cancelled by ${cause.actor.name ?? cause.actor.id}.` },
    });
    return ended ?? this.getRun(tenantId, id);
  }

  /**
   * What a person says about a tool whose effect is in doubt: its result, to call it again, or to end the run. 409 when the run
   * needs no review. The run and its step are looked at and decided in one transaction.
   */
  async reviewRun(tenantId: string, id: string, review: Review, cause: Cause): Promise<Run> {
    const { db } = this.#deps;
    const { decision, note } = review;
    const fails = decision === 'fail';
    const taken = await this.#take(
      await this.getRun(tenantId, id),
      ['needs_review'],
      fails ? 'failed' : 'queued',
      cause,
      {
        ...(fails ? { error: { code: 'review', detail: note ?? 'Ended in review.' } } : {}),
        reviewed: async (tx) => {
          const step = await stepInDoubt(tx, tenantId, id);
          if (step === undefined) throw new Problem(problems.conflict, { detail: 'No step of the run is in doubt.' });
          if (!fails) await decideStep(tx, tenantId, id, step.seq, this.#verdictOn(step, review, cause));
          return { decision, seq: step.seq, ...(note === undefined ? {} : { note }) };
        },
      },
    );
    if (taken === undefined) throw new Problem(problems.conflict, { detail: 'The run does not need a review.' });
    this.#deps.poke();
    return db.forTenant(tenantId, (tx) => readRun(tx, tenantId, id)) as Promise<Run>;
  }

  #verdictOn(step: Step, review: Review, { actor }: Cause): Parameters<typeof decideStep>[4] {
    if (review.decision === 'retry') return { status: 'retry' };
    const { kind, id, name } = actor;
    const text = review.result ?? '';
    const reviewedBy = { kind, id, ...(name === undefined ? {} : { name }) };
    const result =
      step.kind === 'external'
        ? { content: text, toolCalls: [], finishReason: 'stop' }
        : { ...outcome(text), reviewedBy };
    return { status: 'done', result, finishedAt: this.#deps.clock.now().toString() };
  }

  async #rowOf(request: RunRequest, foreground: boolean): Promise<Run> {
    const { principal, agent, callId, demo } = request;
    const { definition } = await this.#deps.versionOf(principal.tenantId, agent.agentId, agent.version);
    const { sessionId: _, ...kept } = principal;
    return newRun({
      tenantId: principal.tenantId,
      agentId: agent.agentId,
      agentVersion: agent.version,
      agentName: agent.name,
      input: request.messages,
      mode: principal.mode,
      demo,
      principal: kept,
      guardrails: boundsOf(definition.guardrails),
      createdAt: this.#deps.clock.now().toString(),
      callId,
      foreground,
      ...(foreground ? {} : { status: 'queued' as const, fence: 0 }),
    });
  }

  /** Takes a run out of whoever's hands and sets what was decided, with its event. */
  #take(
    run: Run,
    from: readonly RunStatus[],
    status: 'queued' | 'failed' | 'cancelled',
    cause: Cause,
    more: {
      error?: NonNullable<Run['error']>;
      /** What a review decides besides; gives what its event says. */
      reviewed?: (tx: Tx) => Promise<Record<string, unknown>>;
    },
  ): Promise<Run | undefined> {
    const at = this.#deps.clock.now();
    return this.#deps.db.forTenant(run.tenantId, async (tx) => {
      const taken = await takeRun(tx, run.tenantId, run.id, from, {
        status,
        ...(more.error === undefined ? {} : { error: more.error }),
        ...(status === 'queued' ? {} : { finishedAt: at.toString() }),
      });
      if (taken === undefined) return undefined;
      const because = becauseOf(cause);
      const reviewed = await more.reviewed?.(tx);
      if (reviewed !== undefined) await append(tx, { ...runEvent(run, 'run.reviewed', reviewed), ...because }, at);
      await append(tx, { ...runEvent(run, `run.${status}`, { code: more.error?.code }), ...because }, at);
      if (status !== 'queued') {
        await cancelApprovals(tx, run.tenantId, run.id);
        if (run.parentId !== null && (await wakeParent(tx, run.tenantId, run.parentId))) {
          await append(tx, { ...runEvent(run, 'run.queued'), subject: { kind: 'run', id: run.parentId } }, at);
        }
      }
      return taken;
    });
  }
}

/** The step that a review is about. An agent that was asked beside it may not have ended: that is known from its run, not in doubt. */
async function stepInDoubt(tx: Tx, tenantId: string, id: string): Promise<Step | undefined> {
  for (const step of await readSteps(tx, tenantId, id)) {
    if (step.status === 'intent' && (await childOf(tx, tenantId, id, step.seq)) === undefined) return step;
  }
  return undefined;
}
