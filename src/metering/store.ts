import type { Tx } from '#kernel/database';
import { idTime } from '#kernel/ids';

import type { CallRecord, UsageEvent } from './records.ts';

/** Who numbers rows: a node, and its epoch since it last lost sight of a commit. */
export type Numbering = { writer: string; epoch: number; calls: number; usage: number };

const callColumns = `tenant_id uuid, at timestamptz, id uuid, demo boolean, mode text, kind text, status text, http_status integer,
  key_id uuid, agent_id uuid, run_id uuid, provider text, model text, stream boolean, estimated boolean, late boolean,
  cost numeric, cost_currency text, price numeric, currency text, input_tokens bigint, output_tokens bigint, requests integer,
  ended_at timestamptz, detail jsonb`;

const usageColumns = `tenant_id uuid, at timestamptz, id uuid, source text, type text, dimensions jsonb, quantities jsonb, demo boolean,
  mode text, estimated boolean, late boolean, recorded_at timestamptz, price numeric, currency text, cost numeric, cost_currency text`;

/** One statement for all rows of a table. `again`: rows that may be there already are left out before they are numbered. */
function insertText(table: 'calls' | 'usage', columns: string, again: boolean): string {
  const names = columns.split(',').map((column) => column.trim().split(' ')[0] as string);
  const known = `WHERE NOT EXISTS (SELECT FROM ${table} t WHERE (t.tenant_id, t.at, t.id) = (r.tenant_id, r.at, r.id))`;
  return `WITH written AS (
    INSERT INTO ${table} (${names.join(', ')}, writer, epoch, writer_seq)
    SELECT ${names.map((name) => `r.${name}`).join(', ')}, $2, $3, $4 + row_number() OVER ()
    FROM json_to_recordset($1) AS r(${columns}) ${again ? known : ''}
    ON CONFLICT DO NOTHING RETURNING id)
  SELECT count(*) AS count, CASE WHEN count(*) < $5 THEN array_agg(id) END AS ids FROM written`;
}

const texts = {
  calls: [insertText('calls', callColumns, false), insertText('calls', callColumns, true)],
  usage: [insertText('usage', usageColumns, false), insertText('usage', usageColumns, true)],
} as const;

/** Inserts rows of one table, leaving out those that are there. Returns how many, and which when not all. */
export async function insertRows(
  tx: Tx,
  table: 'calls' | 'usage',
  rows: readonly Record<string, unknown>[],
  numbering: Numbering,
  again: boolean,
): Promise<{ count: number; ids: readonly string[] | null }> {
  const [result] = await tx.prepared<{ count: number; ids: string[] | null }>(
    `metering-${table}-${again ? 'again' : 'first'}`,
    texts[table][again ? 1 : 0],
    [JSON.stringify(rows), numbering.writer, numbering.epoch, numbering[table], rows.length],
  );
  return { count: result?.count ?? 0, ids: result?.count === rows.length ? null : (result?.ids ?? []) };
}

/** Says how far a writer has numbered, in the transaction that wrote the rows. */
export async function writeNumbering(tx: Tx, numbering: Numbering, now: string): Promise<void> {
  await tx.prepared(
    'metering-numbering',
    `INSERT INTO metering_writers (writer, epoch, calls, usage, seen_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (writer, epoch) DO UPDATE SET calls = excluded.calls, usage = excluded.usage, seen_at = excluded.seen_at`,
    [numbering.writer, numbering.epoch, numbering.calls, numbering.usage, now],
  );
}

/** Makes the month partitions that hold a day (`2026-11-22`). */
export async function tendPartitions(tx: Tx, day: string): Promise<void> {
  await tx.query('SELECT lintel_tend_metering($1)', [day]);
}

/** The row of a call. `requests` is how many requests it stands for. */
export function callRow(call: CallRecord, requests: number): Record<string, unknown> {
  return {
    tenant_id: call.tenantId,
    at: timeOf(call.id),
    id: call.id,
    demo: call.demo,
    mode: call.mode,
    kind: call.kind,
    status: call.status,
    http_status: call.httpStatus,
    key_id: call.keyId,
    agent_id: call.agentId,
    run_id: call.runId,
    provider: call.provider,
    model: call.model,
    stream: call.stream,
    estimated: call.estimated,
    late: call.late,
    cost: call.cost,
    cost_currency: call.costCurrency,
    price: call.price,
    currency: call.currency,
    input_tokens: call.quantities['input_tokens'] ?? 0,
    output_tokens: call.quantities['output_tokens'] ?? 0,
    requests,
    ended_at: call.endedAt,
    detail: {
      principal: { kind: call.principalKind, id: call.principalId, name: call.principalName },
      agentVersion: call.agentVersion,
      providerId: call.providerId,
      trace: call.trace,
      reserved: call.reserved,
      quantities: call.quantities,
      origin: call.origin,
      attempts: call.attempts,
      error: call.error,
      startedAt: call.startedAt,
      firstByteMs: call.firstByteMs,
    },
  };
}

/** The row of a usage event. */
export function usageRow(event: UsageEvent, recordedAt: string): Record<string, unknown> {
  return {
    tenant_id: event.tenantId,
    at: timeOf(event.id),
    id: event.id,
    source: event.source,
    type: event.type,
    dimensions: event.dimensions,
    quantities: event.quantities,
    demo: event.demo,
    mode: event.mode,
    estimated: event.estimated ?? false,
    late: event.late ?? false,
    recorded_at: recordedAt,
    price: event.price ?? null,
    currency: event.currency ?? null,
    cost: event.cost ?? null,
    cost_currency: event.costCurrency ?? null,
  };
}

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
    | 'trace'
    | 'reserved'
    | 'quantities'
    | 'origin'
    | 'attempts'
    | 'error'
    | 'startedAt'
    | 'firstByteMs'
  > & { principal: { kind: string; id: string; name: string } };
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
export type UsageGroup = 'day' | 'hour' | 'model' | 'key' | 'agent' | 'type' | 'tenant';

const groups: Record<UsageGroup, string> = {
  day: `to_char(at AT TIME ZONE $1, 'YYYY-MM-DD')`,
  hour: `to_char(date_trunc('hour', at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`,
  model: `coalesce(dimensions->>'model', '')`,
  key: `coalesce(dimensions->>'key', '')`,
  agent: `coalesce(dimensions->>'agent', '')`,
  type: 'type',
  tenant: 'tenant_id::text',
};

/** What usage came to, by group: sums of quantities, and of prices by currency (null: no price). Days are those of `zone`. */
export async function readUsageSums(
  tx: Tx,
  filter: Pick<CallFilter, 'tenantId' | 'from' | 'to' | 'includeDemo'>,
  group: UsageGroup,
  zone: string,
): Promise<{
  quantities: { bucket: string; name: string; value: string }[];
  totals: { bucket: string; currency: string | null; events: number; price: string | null }[];
}> {
  const { where, values } = conditions(filter, [['tenant_id = ?', filter.tenantId]], [zone]);
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

function conditions(
  filter: Pick<CallFilter, 'from' | 'to' | 'includeDemo'>,
  given: readonly [string, string | undefined][],
  values: unknown[] = [],
): { where: string[]; values: unknown[] } {
  const where = filter.includeDemo ? ['true'] : ['NOT demo'];
  for (const [text, value] of [...given, ['at >= ?', filter.from] as const, ['at < ?', filter.to] as const]) {
    if (value === undefined) continue;
    values.push(value);
    where.push(text.replace('?', `$${values.length}`));
  }
  return { where, values };
}
