import type { Statement, Tx } from '#kernel/database';
import { appendSql, type Event, noteAppended } from '#kernel/log';
import { jsonOrNull, toJson } from './json-text.ts';
import { lease } from './run-store.ts';
import type { Run, Step } from './runs.ts';

/** State of a run that a journal write sets together with its steps. */
export type RunState = Pick<
  Run,
  'status' | 'modelSteps' | 'tokens' | 'money' | 'currency' | 'activeMs' | 'output' | 'error' | 'finishedAt'
>;

const stepMembers = `seq int, kind text, status text, "ofSeq" int, "ofCall" int, tool text, arguments jsonb, "idempotencyKey" text,
  result jsonb, usage jsonb, reserved jsonb, below jsonb, "startedAt" timestamptz, "finishedAt" timestamptz`;

// available_at moves only for what is queued; a run that is not running holds no lease. A step that is done, or an approval that is
// asked for already, came from a COMMIT whose answer was lost: then its events were kept with it.
const writeSql = `WITH held AS (
    UPDATE runs SET status = $4::text, model_steps = $5, tokens = $6, money = $7, currency = $8, active_ms = $9,
      output = $10, error = $11, finished_at = $12,
      lease_expires_at = CASE WHEN $4::text = 'running' THEN ${lease} END,
      lease_node = CASE WHEN $4::text = 'running' THEN lease_node END,
      available_at = CASE WHEN $4::text = 'queued' THEN clock_timestamp() + $13::int * interval '1 millisecond' ELSE available_at END
    WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND status = 'running' RETURNING tenant_id, id),
  written AS (
    INSERT INTO steps (tenant_id, run_id, seq, kind, status, of_seq, of_call, tool, arguments, idempotency_key, result, usage, reserved,
      below, started_at, finished_at)
    SELECT held.tenant_id, held.id, s.* FROM held, json_to_recordset($14) AS s(${stepMembers})
    ON CONFLICT (tenant_id, run_id, seq) DO UPDATE SET status = excluded.status, result = excluded.result, usage = excluded.usage,
      reserved = excluded.reserved, below = excluded.below, started_at = excluded.started_at, finished_at = excluded.finished_at
      WHERE steps.status <> 'done' AND (steps.status, excluded.status) <> ('pending', 'pending')
    RETURNING seq),
  told AS (${appendSql('$15', 'EXISTS (SELECT FROM held) AND (SELECT count(*) FROM written) = $16::int')})
  SELECT (SELECT count(*) FROM held)::int AS held, (SELECT count(*) FROM written)::int AS written`;

/**
 * The fence of every journal write: sets the run's state, holds it on, keeps steps and appends their events, in one statement, and
 * ends the transaction unless `more` follows. Not `held`: somebody else took over, and nothing was written. Not `written`: all of it
 * was written before.
 */
export async function writeJournal(
  tx: Tx,
  run: Run,
  state: RunState,
  kept: { steps: readonly Step[]; events: readonly Event[]; delayMs: number },
  more: boolean,
): Promise<{ held: boolean; written: boolean }> {
  const { steps, events, delayMs } = kept;
  const values = [
    run.tenantId,
    run.id,
    run.fence,
    state.status,
    state.modelSteps,
    state.tokens,
    state.money,
    state.currency,
    Math.round(state.activeMs),
    jsonOrNull(state.output),
    jsonOrNull(state.error),
    state.finishedAt,
    delayMs,
    toJson(steps),
    toJson(events),
    steps.length,
  ];
  const statement: Statement = { name: 'run-write', text: writeSql, values };
  const [row] = await (more
    ? tx.prepared<Outcome>(statement.name, statement.text, statement.values)
    : tx.commitWith<Outcome>(statement));
  const held = row?.held === 1;
  const written = held && row.written === steps.length;
  if (written) noteAppended(tx, events);
  return { held, written };
}

type Outcome = { held: number; written: number };
