import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { append } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { notFound, Problem, problems } from '#kernel/problem';
import { type Approval, decideApproval, listApprovals, pendingOf, readApproval } from './approval-store.ts';
import { requireAgent } from './own-agents.ts';
import { runEvent } from './run-events.ts';
import { decideStep, takeRun } from './run-store.ts';

/** What approvals are managed with. `poke` tells this process's worker, if it has one, that a run is free. */
export type ApprovalManagerDeps = { db: Pick<Doors, 'forTenant'>; clock: Clock; poke(): void };

/** The inbox of tool calls that need a person's yes. */
export class ApprovalManager {
  readonly #deps: ApprovalManagerDeps;

  constructor(deps: ApprovalManagerDeps) {
    this.#deps = deps;
  }

  /** Approvals, newest first. */
  async listApprovals(
    tenantId: string,
    filter: { status?: string; before?: string; agents?: readonly string[] },
    limit: number,
  ): Promise<Page<Approval>> {
    const rows = await this.#deps.db.forTenant(tenantId, (tx) =>
      listApprovals(tx, tenantId, { ...filter, limit: limit + 1 }),
    );
    return pageOf(rows, limit, (approval) => [approval.id]);
  }

  /** Pending approvals of a run. */
  pendingApprovals(tenantId: string, runId: string): Promise<Approval[]> {
    return this.#deps.db.forTenant(tenantId, (tx) => pendingOf(tx, tenantId, runId));
  }

  /**
   * A person's yes or no. The run goes on in background once nothing of it is pending. 404 (also for other agents' than `agents`), 409
   * when decided already.
   */
  async decideApproval(
    tenantId: string,
    id: string,
    to: { approved: boolean; note: string | undefined },
    cause: Cause,
    agents?: readonly string[],
  ): Promise<Approval> {
    const { db, clock } = this.#deps;
    const decided = await db.forTenant(tenantId, async (tx) => {
      const approval = await readApproval(tx, tenantId, id);
      if (approval === undefined) throw notFound('approval');
      requireAgent(agents, approval.agentId, 'approval');
      // The run's row first, as in every journal write: two decisions at once come one after the other.
      const run = await takeRun(tx, tenantId, approval.runId, ['waiting'], { status: 'waiting' });
      const at = clock.now();
      const status = to.approved ? 'approved' : 'rejected';
      const by = cause.actor;
      if (
        run === undefined ||
        !(await decideApproval(tx, approval, { status, at: at.toString(), by, note: to.note }))
      ) {
        throw new Problem(problems.conflict, {
          detail: 'It was decided already, or the run does not wait for it (any more).',
        });
      }
      const result = { approved: to.approved, ...(to.note === undefined ? {} : { note: to.note }) };
      await decideStep(tx, tenantId, run.id, approval.seq, { status: 'done', result, finishedAt: at.toString() });
      const data = { approvalId: id, seq: approval.seq, tool: approval.tool };
      await append(tx, { ...runEvent(run, `approval.${status}`, data), ...becauseOf(cause) }, at);
      if ((await pendingOf(tx, tenantId, run.id)).length === 0) {
        await takeRun(tx, tenantId, run.id, ['waiting'], { status: 'queued' });
        await append(tx, { ...runEvent(run, 'run.queued'), ...becauseOf(cause) }, at);
      }
      return readApproval(tx, tenantId, id);
    });
    this.#deps.poke();
    return decided as Approval;
  }

  /** A person's yes to everything that a run waits with, one {@link decideApproval} after the other; 409 when that is nothing. */
  async approveRun(tenantId: string, runId: string, note: string | undefined, cause: Cause): Promise<void> {
    const waiting = await this.pendingApprovals(tenantId, runId);
    if (waiting.length === 0) throw new Problem(problems.conflict, { detail: 'The run does not wait for a yes.' });
    for (const { id } of waiting) await this.decideApproval(tenantId, id, { approved: true, note }, cause);
  }
}
