import type { Tx } from '#kernel/database';
import type { Actor } from '#kernel/log';
import { toJson } from './json-text.ts';

/** A tool call that waits, or waited, for a person. */
export type Approval = {
  tenantId: string;
  id: string;
  runId: string;
  seq: number;
  agentId: string;
  agentName: string;
  tool: string;
  arguments: unknown;
  status: 'pending' | 'approved' | 'rejected' | 'cancelled';
  requestedBy: Actor;
  createdAt: string;
  decidedAt: string | null;
  decidedBy: Actor | null;
  note: string | null;
};

const columns = `tenant_id, id, run_id, seq, agent_id, agent_name, tool, arguments, status, requested_by, created_at, decided_at,
  decided_by, note`;

/** Writes a pending approval. */
export async function insertApproval(tx: Tx, approval: Approval): Promise<void> {
  await tx.execute(
    `INSERT INTO approvals (tenant_id, id, run_id, seq, agent_id, agent_name, tool, arguments, status, requested_by, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10) ON CONFLICT (tenant_id, run_id, seq) DO NOTHING`,
    [
      approval.tenantId,
      approval.id,
      approval.runId,
      approval.seq,
      approval.agentId,
      approval.agentName,
      approval.tool,
      toJson(approval.arguments),
      toJson(approval.requestedBy),
      approval.createdAt,
    ],
  );
}

/** One approval. */
export function readApproval(tx: Tx, tenantId: string, id: string): Promise<Approval | undefined> {
  return tx.maybe(`SELECT ${columns} FROM approvals WHERE tenant_id = $1 AND id = $2`, [tenantId, id]);
}

/** Approvals of a tenant, newest first, below a cursor. */
export function listApprovals(
  tx: Tx,
  tenantId: string,
  filter: { status?: string; before?: string; agents?: readonly string[]; limit: number },
): Promise<Approval[]> {
  return tx.query(
    `SELECT ${columns} FROM approvals WHERE tenant_id = $1 AND ($2::text IS NULL OR status = $2)
       AND ($3::uuid IS NULL OR id < $3) AND ($5::uuid[] IS NULL OR agent_id = ANY ($5)) ORDER BY id DESC LIMIT $4`,
    [tenantId, filter.status ?? null, filter.before ?? null, filter.limit, filter.agents ?? null],
  );
}

/** Pending approvals of a run. */
export function pendingOf(tx: Tx, tenantId: string, runId: string): Promise<Approval[]> {
  return tx.query(
    `SELECT ${columns} FROM approvals WHERE tenant_id = $1 AND run_id = $2 AND status = 'pending' ORDER BY seq`,
    [tenantId, runId],
  );
}

/** Writes the decision; false when it is not pending any more. */
export async function decideApproval(
  tx: Tx,
  approval: Approval,
  to: { status: 'approved' | 'rejected'; at: string; by: Actor; note: string | undefined },
): Promise<boolean> {
  const changed = await tx.execute(
    `UPDATE approvals SET status = $3, decided_at = $4, decided_by = $5, note = $6
     WHERE tenant_id = $1 AND id = $2 AND status = 'pending'`,
    [approval.tenantId, approval.id, to.status, to.at, toJson(to.by), to.note?.replaceAll('\0', '\ufffd') ?? null],
  );
  return changed === 1;
}

/** Closes what a run's end leaves open. */
export async function cancelApprovals(tx: Tx, tenantId: string, runId: string): Promise<void> {
  await tx.execute(
    `UPDATE approvals SET status = 'cancelled' WHERE tenant_id = $1 AND run_id = $2 AND status = 'pending'`,
    [tenantId, runId],
  );
}
