import type { Reach } from '#kernel/agent-reach';
import type { Tx } from '#kernel/database';
import { idTime } from '#kernel/ids';

import type { CallRecord, UsedByCall } from './records.ts';
import type { StoredStep } from './stored-trace.ts';

/** The time an id carries, as `timestamptz` reads it: the same text for the same id, always. */
export function timeOf(id: string): string {
  return new Date(idTime(id)).toISOString();
}

/** What a list of calls is narrowed to. Times are ISO 8601. */
export type CallFilter = {
  tenantId?: string;
  from?: string;
  to?: string;
  status?: string;
  kind?: string;
  model?: string;
  keyId?: string;
  agentId?: string;
  includeDemo: boolean;
  /** What the reader's key may know of. */
  reach?: Reach;
};

/** A call as it is read: its columns, and in `detail` what is only shown. */
export type CallRow = {
  tenantId: string;
  at: string;
  id: string;
  writer: string;
  epoch: number;
  writerSeq: number;
  demo: boolean;
  mode: string;
  kind: string;
  status: string;
  httpStatus: number;
  keyId: string | null;
  agentId: string | null;
  runId: string | null;
  provider: string | null;
  model: string | null;
  stream: boolean;
  estimated: boolean;
  late: boolean;
  cost: string | null;
  costCurrency: string | null;
  price: string | null;
  currency: string | null;
  inputTokens: number;
  outputTokens: number;
  requests: number;
  endedAt: string;
  detail: Pick<
    CallRecord,
    | 'agentVersion'
    | 'providerId'
    | 'reserved'
    | 'quantities'
    | 'ownCost'
    | 'ownCostCurrency'
    | 'origin'
    | 'attempts'
    | 'error'
    | 'startedAt'
    | 'firstByteMs'
  > & { principal: { kind: string; id: string; name: string }; trace: readonly StoredStep[] };
};

/** Calls, newest first: `limit` + 1 of those before the id `before`. */
export function readCallPage(
  tx: Tx,
  filter: CallFilter,
  before: string | undefined,
  limit: number,
): Promise<CallRow[]> {
  const { where, values } = conditions(filter, [
    ['tenant_id = ?', filter.tenantId],
    ['status = ?', filter.status],
    ['kind = ?', filter.kind],
    ['model = ?', filter.model],
    ['key_id = ?', filter.keyId],
    ['agent_id = ?', filter.agentId],
    ['(agent_id = ANY (?) OR key_id = ANY (?))', idsOf(filter.reach)],
  ]);
  if (before !== undefined) {
    values.push(timeOf(before), before);
    where.push(`(at, id) < ($${values.length - 1}, $${values.length})`);
  }
  values.push(limit + 1);
  return tx.query(
    `SELECT * FROM calls WHERE ${where.join(' AND ')} ORDER BY at DESC, id DESC LIMIT $${values.length}`,
    values,
  );
}

/** One call of a tenant. */
export function readCall(tx: Tx, tenantId: string | undefined, id: string): Promise<CallRow | undefined> {
  return tx.maybe('SELECT * FROM calls WHERE ($1::uuid IS NULL OR tenant_id = $1) AND at = $2 AND id = $3', [
    tenantId ?? null,
    timeOf(id),
    id,
  ]);
}

/** What usage can be grouped by. */
export type UsageGroup = 'day' | 'hour' | 'model' | 'key' | 'agent' | 'type' | 'mode' | 'tenant';

/** Which usage is summed. `mode`: `live`, which is billed, or `test`; both when absent. */
export type UsageFilter = Pick<CallFilter, 'tenantId' | 'from' | 'to' | 'includeDemo' | 'reach'> & {
  mode?: 'live' | 'test';
};

const groups: Record<UsageGroup, string> = {
  day: `to_char(at AT TIME ZONE $1, 'YYYY-MM-DD')`,
  hour: `to_char(date_trunc('hour', at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`,
  model: `coalesce(dimensions->>'model', '')`,
  key: `coalesce(dimensions->>'key', '')`,
  agent: `coalesce(dimensions->>'agent', '')`,
  type: 'type',
  mode: 'mode',
  tenant: 'tenant_id::text',
};

/** What a call used that is billed: its own usage, or that of its run's steps until it was answered. */
export async function readUsedBy(tx: Tx, call: CallRow): Promise<UsedByCall[]> {
  const rows = await tx.query<Omit<UsedByCall, 'quantities'> & { quantities: Record<string, unknown> }>(
    `SELECT type, dimensions, quantities FROM usage WHERE tenant_id = $1 AND mode = 'live'
       AND ((at = $2 AND id = $3) OR ($5::text IS NOT NULL AND at BETWEEN $2 AND $4 AND starts_with(source, $5)))`,
    [call.tenantId, timeOf(call.id), call.id, call.endedAt, call.runId === null ? null : `run/${call.runId}/`],
  );
  return rows.map(({ quantities, ...row }) => ({
    ...row,
    quantities: Object.fromEntries(Object.entries(quantities).map(([name, value]) => [name, String(value)])),
  }));
}

/** What usage came to, by group: sums of quantities, and of prices by currency (null: no price). Days are those of `zone`. */
export async function readUsageSums(
  tx: Tx,
  filter: UsageFilter,
  group: UsageGroup,
  zone: string,
): Promise<{
  quantities: { bucket: string; name: string; value: string }[];
  totals: { bucket: string; currency: string | null; events: number; price: string | null }[];
}> {
  const own = [`(dimensions->>'agent' = ANY (?) OR dimensions->>'key' = ANY (?))`, idsOf(filter.reach)] as const;
  const picked = [['tenant_id = ?', filter.tenantId], ['mode = ?', filter.mode], own] as const;
  const { where, values } = conditions(filter, picked, [zone]);
  const rows = `SELECT ${groups[group]} AS bucket, quantities, price, currency FROM usage
    WHERE $1::text IS NOT NULL AND ${where.join(' AND ')}`;
  return {
    quantities: await tx.query(
      `SELECT bucket, q.key AS name, trim_scale(sum(q.value::numeric))::text AS value FROM (${rows}) u, jsonb_each_text(quantities) q
       WHERE q.value ~ '^-?[0-9]+(\\.[0-9]+)?$' GROUP BY 1, 2 ORDER BY 1, 2`,
      values,
    ),
    totals: await tx.query(
      `SELECT bucket, currency, count(*) AS events, trim_scale(sum(price))::text AS price FROM (${rows}) u GROUP BY 1, 2 ORDER BY 1, 2`,
      values,
    ),
  };
}

/**
 * Rows of one table that a batch reader has not seen: of each writer those numbered above the reader's cursor (`writer:epoch` →
 * number) up to what the writer has committed.
 */
export function readNumbered<Row>(
  tx: Tx,
  table: 'calls' | 'usage',
  cursors: Readonly<Record<string, number>>,
  limit: number,
): Promise<Row[]> {
  const seen = `coalesce(($1::jsonb ->> (w.writer || ':' || w.epoch))::bigint, 0)`;
  return tx.prepared(
    `metering-read-${table}`,
    `SELECT r.* FROM metering_writers w CROSS JOIN LATERAL (
       SELECT * FROM ${table} t WHERE t.writer = w.writer AND t.epoch = w.epoch AND t.writer_seq > ${seen} AND t.writer_seq <= w.${table}
       ORDER BY t.writer_seq LIMIT $2) r
     WHERE w.${table} > ${seen} ORDER BY w.writer, w.epoch, r.writer_seq LIMIT $2`,
    [JSON.stringify(cursors), limit],
  );
}

/** Cursors that stand at the end of one table: a reader that begins there gets only what comes. */
export async function readHeads(tx: Tx, table: 'calls' | 'usage'): Promise<Record<string, number>> {
  const rows = await tx.query<{ writer: string; epoch: number; head: number }>(
    `SELECT writer, epoch, ${table} AS head FROM metering_writers`,
  );
  return Object.fromEntries(rows.map(({ writer, epoch, head }) => [`${writer}:${epoch}`, head]));
}

/** Drops the months that ended more than `days` before a day (`2026-11-22`); returns the names of their partitions. */
export async function dropMonths(tx: Tx, today: string, days: number): Promise<readonly string[]> {
  return (await tx.one<{ dropped: string[] }>('SELECT lintel_drop_metering($1, $2) AS dropped', [today, days])).dropped;
}

/** The rule of kernel/agent-reach for SQL: an agent or key among these. No id is both. */
function idsOf(reach: Reach): readonly string[] | undefined {
  return reach === undefined ? undefined : [...reach.agents, reach.keyId];
}

function conditions(
  filter: Pick<CallFilter, 'from' | 'to' | 'includeDemo'>,
  given: readonly (readonly [string, string | readonly string[] | undefined])[],
  values: unknown[] = [],
): { where: string[]; values: unknown[] } {
  const where = filter.includeDemo ? ['true'] : ['NOT demo'];
  for (const [text, value] of [...given, ['at >= ?', filter.from] as const, ['at < ?', filter.to] as const]) {
    if (value === undefined) continue;
    values.push(value);
    where.push(text.replaceAll('?', `$${values.length}`));
  }
  return { where, values };
}
