import { type ArrayType, type ArrayValues, binaryArray } from '#kernel/binary-arrays';
import type { Statement, Tx } from '#kernel/database';
import { idTime } from '#kernel/ids';

import type { CallRecord, UsageEvent } from './records.ts';
import { storeTrace } from './stored-trace.ts';

/** Who numbers rows: a node, and its epoch since it last lost sight of a commit. */
export type Numbering = { writer: string; epoch: number; calls: number; usage: number };

/** A call as it is written; `requests` is how many requests it stands for. */
export type WrittenCall = { call: CallRecord; requests: number };

/** A usage event as it is written. `recordedAt`: milliseconds since the epoch. */
export type WrittenUsage = { event: UsageEvent; recordedAt: number };

/** How a column is sent, and read off a row. `cast`: its type where no array of that type can be sent. */
type Column<Row> = {
  [T in ArrayType]: { as: T; cast?: 'numeric' | 'json' | 'jsonb'; of: (row: Row) => ArrayValues[T] | null };
}[ArrayType];
type Columns<Row> = Readonly<Record<string, Column<Row>>>;

const callColumns: Columns<WrittenCall> = {
  tenant_id: { as: 'uuid', of: ({ call }) => call.tenantId },
  at: { as: 'timestamptz', of: ({ call }) => idTime(call.id) },
  id: { as: 'uuid', of: ({ call }) => call.id },
  demo: { as: 'boolean', of: ({ call }) => call.demo },
  mode: { as: 'text', of: ({ call }) => call.mode },
  kind: { as: 'text', of: ({ call }) => call.kind },
  status: { as: 'text', of: ({ call }) => call.status },
  http_status: { as: 'integer', of: ({ call }) => call.httpStatus },
  key_id: { as: 'uuid', of: ({ call }) => call.keyId },
  agent_id: { as: 'uuid', of: ({ call }) => call.agentId },
  run_id: { as: 'uuid', of: ({ call }) => call.runId },
  provider: { as: 'text', of: ({ call }) => call.provider },
  model: { as: 'text', of: ({ call }) => call.model },
  stream: { as: 'boolean', of: ({ call }) => call.stream },
  estimated: { as: 'boolean', of: ({ call }) => call.estimated },
  late: { as: 'boolean', of: ({ call }) => call.late },
  cost: { as: 'text', cast: 'numeric', of: ({ call }) => call.cost },
  cost_currency: { as: 'text', of: ({ call }) => call.costCurrency },
  price: { as: 'text', cast: 'numeric', of: ({ call }) => call.price },
  currency: { as: 'text', of: ({ call }) => call.currency },
  input_tokens: { as: 'bigint', of: ({ call }) => call.quantities['input_tokens'] ?? 0 },
  output_tokens: { as: 'bigint', of: ({ call }) => call.quantities['output_tokens'] ?? 0 },
  requests: { as: 'integer', of: ({ requests }) => requests },
  ended_at: { as: 'timestamptz', of: ({ call }) => Date.parse(call.endedAt) },
  detail: { as: 'text', cast: 'json', of: ({ call }) => detailOf(call) },
};

const usageColumns: Columns<WrittenUsage> = {
  tenant_id: { as: 'uuid', of: ({ event }) => event.tenantId },
  at: { as: 'timestamptz', of: ({ event }) => idTime(event.id) },
  id: { as: 'uuid', of: ({ event }) => event.id },
  source: { as: 'text', of: ({ event }) => event.source },
  type: { as: 'text', of: ({ event }) => event.type },
  dimensions: { as: 'text', cast: 'jsonb', of: ({ event }) => JSON.stringify(event.dimensions) },
  quantities: { as: 'text', cast: 'jsonb', of: ({ event }) => JSON.stringify(event.quantities) },
  demo: { as: 'boolean', of: ({ event }) => event.demo },
  mode: { as: 'text', of: ({ event }) => event.mode },
  estimated: { as: 'boolean', of: ({ event }) => event.estimated ?? false },
  late: { as: 'boolean', of: ({ event }) => event.late ?? false },
  recorded_at: { as: 'timestamptz', of: ({ recordedAt }) => recordedAt },
  price: { as: 'text', cast: 'numeric', of: ({ event }) => event.price ?? null },
  currency: { as: 'text', of: ({ event }) => event.currency ?? null },
  cost: { as: 'text', cast: 'numeric', of: ({ event }) => event.cost ?? null },
  cost_currency: { as: 'text', of: ({ event }) => event.costCurrency ?? null },
};

/** What is only shown. */
function detailOf(call: CallRecord): string {
  return JSON.stringify({
    principal: { kind: call.principalKind, id: call.principalId, name: call.principalName },
    agentVersion: call.agentVersion,
    providerId: call.providerId,
    trace: storeTrace(call.trace),
    reserved: call.reserved,
    quantities: call.quantities,
    ownCost: call.ownCost,
    ownCostCurrency: call.ownCostCurrency,
    origin: call.origin,
    attempts: call.attempts,
    error: call.error,
    startedAt: call.startedAt,
    firstByteMs: call.firstByteMs,
  });
}

/** One statement for all rows of a table. `again`: rows that may be there already are left out before they are numbered. */
function insertText(table: 'calls' | 'usage', columns: Columns<never>, again: boolean): string {
  const names = Object.keys(columns);
  const all = Object.values(columns) as Column<never>[];
  const arrays = all.map(({ as }, index) => `$${index + 4}::${as}[]`);
  const values = all.map(({ cast }, index) => `r.${names[index]}${cast === undefined ? '' : `::${cast}`}`);
  const insert = `INSERT INTO ${table} (${names.join(', ')}, writer, epoch, writer_seq)
    SELECT ${values.join(', ')}, $1, $2, $3 + row_number() OVER () FROM unnest(${arrays.join(', ')}) AS r(${names.join(', ')})`;
  return again
    ? `${insert} WHERE NOT EXISTS (SELECT FROM ${table} t WHERE (t.tenant_id, t.at, t.id) = (r.tenant_id, r.at, r.id))
       ON CONFLICT DO NOTHING RETURNING id`
    : insert;
}

const tables = {
  calls: {
    columns: callColumns,
    first: insertText('calls', callColumns, false),
    again: insertText('calls', callColumns, true),
  },
  usage: {
    columns: usageColumns,
    first: insertText('usage', usageColumns, false),
    again: insertText('usage', usageColumns, true),
  },
} as const;

/** Rows of one table, ready to be sent; the text of a statement and its numbering come with them. */
type Rows = { calls: readonly WrittenCall[]; usage: readonly WrittenUsage[] };

/** Inserts rows that are all new; SQLSTATE 23505 (unique_violation) when one is there. RangeError or TypeError for a row no column takes. */
export function insertNew<T extends keyof Rows>(table: T, rows: Rows[T], from: Numbering): Statement {
  return { name: `metering-${table}-first`, text: tables[table].first, values: parameters(table, rows, from) };
}

/** Inserts rows of which some may be there, which are left out. Returns the ids of those that were written. */
export async function insertMissing<T extends keyof Rows>(
  tx: Tx,
  table: T,
  rows: Rows[T],
  from: Numbering,
): Promise<ReadonlySet<string>> {
  if (rows.length === 0) return new Set();
  const written = await tx.prepared<{ id: string }>(
    `metering-${table}-again`,
    tables[table].again,
    parameters(table, rows, from),
  );
  return new Set(written.map(({ id }) => id));
}

function parameters<T extends keyof Rows>(table: T, rows: Rows[T], from: Numbering): unknown[] {
  const arrays = Object.values(tables[table].columns as Columns<Rows[T][number]>).map((column) =>
    binaryArray<ArrayType>(column.as, rows.length, (index) => column.of(rows[index] as Rows[T][number])),
  );
  return [from.writer, from.epoch, from[table], ...arrays];
}

/** Says how far a writer has numbered, in the transaction that wrote the rows. */
export function noteNumbering({ writer, epoch, calls, usage }: Numbering, now: string): Statement {
  return {
    name: 'metering-numbering',
    text: `INSERT INTO metering_writers (writer, epoch, calls, usage, seen_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (writer, epoch) DO UPDATE SET calls = excluded.calls, usage = excluded.usage, seen_at = excluded.seen_at`,
    values: [writer, epoch, calls, usage, now],
  };
}

/** Makes the month partitions that hold a day (`2026-11-22`). */
export async function tendPartitions(tx: Tx, day: string): Promise<void> {
  await tx.query('SELECT lintel_tend_metering($1)', [day]);
}
