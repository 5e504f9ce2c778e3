import type { Tx } from '#kernel/database';
import { appendSql, type Event, noteAppended } from '#kernel/log';
import { jsonOrNull, toJson } from './json-text.ts';
import type { Front, Run, RunStatus, Step } from './runs.ts';

/** How long a run is held without a renewal, milliseconds of database time: a node silent that long is lost (house). */
export const leaseMs = 5_000;

/** The columns of a run. */
export const runColumns = `tenant_id, id, fence, status, agent_id, agent_version, agent_name, input, mode, demo, principal, call_id,
  guardrails, foreground, parent_id, parent_seq, path, cancel_requested, model_steps, tokens, money, currency, active_ms, output, error,
  created_at, finished_at`;
const stepColumns =
  'run_id, seq, kind, status, of_seq, of_call, tool, arguments, idempotency_key, result, usage, reserved, below, started_at, finished_at';
/** When a lease taken now ends, in SQL. */
export const lease = `clock_timestamp() + ${leaseMs} * interval '1 millisecond'`;

/**
 * Writes a new run; false when the parent's step has one already. A running one is held by `nodeId` from here on. `front`: what its
 * call's row will say of the front door. Its event is appended with it.
 */
export async function insertRun(
  tx: Tx,
  run: Run,
  { nodeId, front, event }: { nodeId: string; front: Front | undefined; event: Event },
): Promise<boolean> {
  const rows = await tx.prepared(
    'run-insert',
    `WITH made AS (INSERT INTO runs (tenant_id, id, fence, status, agent_id, agent_version, agent_name, input, mode, demo, principal, call_id,
       guardrails, foreground, parent_id, parent_seq, path, lease_node, lease_expires_at, available_at, created_at, call)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
       CASE WHEN $4 = 'running' THEN $18::uuid END, CASE WHEN $4 = 'running' THEN ${lease} END, clock_timestamp(), $19, $20)
     ON CONFLICT (tenant_id, parent_id, parent_seq) DO NOTHING RETURNING id),
     told AS (${appendSql('$21', 'EXISTS (SELECT FROM made)')})
     SELECT id FROM made`,
    [
      run.tenantId,
      run.id,
      run.fence,
      run.status,
      run.agentId,
      run.agentVersion,
      run.agentName,
      toJson(run.input),
      run.mode,
      run.demo,
      toJson(run.principal),
      run.callId,
      toJson(run.guardrails),
      run.foreground,
      run.parentId,
      run.parentSeq,
      run.path,
      nodeId,
      run.createdAt,
      jsonOrNull(front),
      toJson([event]),
    ],
  );
  if (rows.length === 1) noteAppended(tx, [event]);
  return rows.length === 1;
}

/** Changes what a person or a cancel decides: the fence rises, so that whoever drives the run stops. Undefined: not in one of `from`. */
export async function takeRun(
  tx: Tx,
  tenantId: string,
  id: string,
  from: readonly RunStatus[],
  to: { status: RunStatus; error?: Run['error']; finishedAt?: string },
): Promise<Run | undefined> {
  return tx.maybe<Run>(
    `UPDATE runs SET fence = fence + 1, status = $4, foreground = false, lease_node = NULL, lease_expires_at = NULL,
       available_at = clock_timestamp(), error = coalesce($5, error), finished_at = $6
     WHERE tenant_id = $1 AND id = $2 AND status = ANY($3) RETURNING ${runColumns}`,
    [tenantId, id, from, to.status, jsonOrNull(to.error), to.finishedAt ?? null],
  );
}

/** A finished child wakes the run that waits for it. Locks the parent in every case: see {@link queueIfChildIsOver}. */
export async function wakeParent(tx: Tx, tenantId: string, parentId: string): Promise<boolean> {
  const row = await tx.maybe<{ woken: boolean }>(
    `UPDATE runs SET status = CASE WHEN status = 'waiting' THEN 'queued' ELSE status END,
       available_at = CASE WHEN status = 'waiting' THEN clock_timestamp() ELSE available_at END
     WHERE tenant_id = $1 AND id = $2 RETURNING status = 'queued' AS woken`,
    [tenantId, parentId],
  );
  return row?.woken === true;
}

/**
 * Queues a run that was about to wait for a child that has ended meanwhile. Asked after the run's row is locked: a child that
 * ends later finds it waiting and wakes it.
 */
export async function queueIfChildIsOver(tx: Tx, run: Run, seq: number): Promise<void> {
  await tx.execute(
    `UPDATE runs SET status = 'queued', available_at = clock_timestamp()
     WHERE tenant_id = $1 AND id = $2 AND status = 'waiting' AND EXISTS (SELECT FROM runs child
       WHERE child.tenant_id = $1 AND child.parent_id = $2 AND child.parent_seq = $3
         AND child.status IN ('finished', 'failed', 'cancelled'))`,
    [run.tenantId, run.id, seq],
  );
}

/** The run that a parent's step started. */
export function childOf(tx: Tx, tenantId: string, parentId: string, parentSeq: number): Promise<Run | undefined> {
  return tx.maybe<Run>(`SELECT ${runColumns} FROM runs WHERE tenant_id = $1 AND parent_id = $2 AND parent_seq = $3`, [
    tenantId,
    parentId,
    parentSeq,
  ]);
}

/** Runs still open below a run. */
export function openChildren(tx: Tx, tenantId: string, parentId: string): Promise<{ id: string }[]> {
  return tx.query(
    `SELECT id FROM runs WHERE tenant_id = $1 AND parent_id = $2 AND status IN ('queued', 'running', 'waiting', 'needs_review')`,
    [tenantId, parentId],
  );
}

/** Holds runs on; returns those still held under the given fences. For the service door `lease_keeper`. */
export async function renewLeases(
  tx: Tx,
  held: readonly { tenantId: string; id: string; fence: number }[],
): Promise<Map<string, { cancelRequested: boolean }>> {
  const rows = await tx.prepared<{ id: string; cancelRequested: boolean }>(
    'runs-renew',
    `UPDATE runs SET lease_expires_at = ${lease} FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS h (t, i, f)
     WHERE runs.tenant_id = h.t AND runs.id = h.i AND runs.fence = h.f AND runs.status = 'running'
     RETURNING runs.id, runs.cancel_requested`,
    [held.map((run) => run.tenantId), held.map((run) => run.id), held.map((run) => run.fence)],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** Asks the holder of a run to end it; false when nobody holds it. */
export async function requestCancel(tx: Tx, tenantId: string, id: string): Promise<boolean> {
  const changed = await tx.execute(
    `UPDATE runs SET cancel_requested = true
     WHERE tenant_id = $1 AND id = $2 AND status = 'running' AND lease_expires_at > clock_timestamp()`,
    [tenantId, id],
  );
  return changed === 1;
}

/** One run. */
export function readRun(tx: Tx, tenantId: string, id: string): Promise<Run | undefined> {
  return tx.maybe<Run>(`SELECT ${runColumns} FROM runs WHERE tenant_id = $1 AND id = $2`, [tenantId, id]);
}

/** A run that answers a call, with what is kept of the request; undefined for runs that another run started. */
export async function readCallOf(
  tx: Tx,
  tenantId: string,
  id: string,
): Promise<{ run: Run & { callId: string }; front: Front } | undefined> {
  const row = await tx.maybe<Run & { callId: string; call: Front }>(
    `SELECT ${runColumns}, call FROM runs
     WHERE tenant_id = $1 AND id = $2 AND parent_id IS NULL AND call_id IS NOT NULL AND call IS NOT NULL`,
    [tenantId, id],
  );
  if (row === undefined) return undefined;
  const { call, ...run } = row;
  return { run, front: call };
}

/** Steps of a run in order, those from `from` on. */
export function readSteps(tx: Tx, tenantId: string, runId: string, from = 0): Promise<Step[]> {
  return tx.query<Step>(
    `SELECT ${stepColumns} FROM steps WHERE tenant_id = $1 AND run_id = $2 AND seq >= $3 ORDER BY seq`,
    [tenantId, runId, from],
  );
}

/** Runs of a tenant, newest first, below a cursor. */
export function listRuns(
  tx: Tx,
  tenantId: string,
  filter: { agentId?: string; agents?: readonly string[]; status?: RunStatus; before?: string; limit: number },
): Promise<Run[]> {
  return tx.query<Run>(
    `SELECT ${runColumns} FROM runs WHERE tenant_id = $1 AND ($2::uuid IS NULL OR agent_id = $2)
       AND ($3::text IS NULL OR status = $3) AND ($4::uuid IS NULL OR id < $4)
       AND ($6::uuid[] IS NULL OR agent_id = ANY ($6)) ORDER BY id DESC LIMIT $5`,
    [
      tenantId,
      filter.agentId ?? null,
      filter.status ?? null,
      filter.before ?? null,
      filter.limit,
      filter.agents ?? null,
    ],
  );
}

/** Ends a step that stands open by what a person says; false when it does not stand at one of `from`. */
export async function decideStep(
  tx: Tx,
  tenantId: string,
  runId: string,
  seq: number,
  to: { status: 'retry' | 'done'; result?: unknown; finishedAt?: string },
): Promise<boolean> {
  const changed = await tx.execute(
    `UPDATE steps SET status = $4, result = $5, finished_at = $6
     WHERE tenant_id = $1 AND run_id = $2 AND seq = $3 AND status IN ('intent', 'pending')`,
    [tenantId, runId, seq, to.status, jsonOrNull(to.result), to.finishedAt ?? null],
  );
  return changed === 1;
}
