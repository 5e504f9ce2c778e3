import Type, { type Static } from 'typebox';

import { formatId, type IdKind } from '#kernel/ids';

import type { UsageSum } from './metering-manager.ts';
import type { NamedLines } from './records.ts';
import type { CallRow, UsageGroup } from './store.ts';
import { readTrace } from './stored-trace.ts';

const text = Type.String();
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const free = Type.Record(text, Type.Unknown());

const callMembers = {
  id: text,
  tenantId: text,
  at: text,
  endedAt: text,
  demo: Type.Boolean(),
  mode: text,
  kind: text,
  status: text,
  httpStatus: Type.Integer(),
  principal: Type.Object({ kind: text, id: text, name: text }),
  keyId: orNull(text),
  agentId: orNull(text),
  agentVersion: orNull(Type.Union([Type.Number(), text])),
  runId: orNull(text),
  provider: orNull(text),
  model: orNull(text),
  stream: Type.Boolean(),
  inputTokens: Type.Integer(),
  outputTokens: Type.Integer(),
  quantities: Type.Record(text, Type.Number()),
  reserved: orNull(free),
  estimated: Type.Boolean({ description: 'The usage was estimated after a cut.' }),
  late: Type.Boolean({ description: 'The usage was found after its reservation had run out.' }),
  price: orNull(Type.String({ description: 'Decimal.' })),
  currency: orNull(text),
  cost: orNull(Type.String({ description: "Decimal: what providers charge the tenant's own keys." })),
  costCurrency: orNull(text),
  requests: Type.Integer({
    description:
      'How many requests the row stands for: more for refusals, 0 for what a run used after its call was answered.',
  }),
  firstByteMs: orNull(Type.Number()),
  durationMs: Type.Number(),
  error: orNull(Type.Object({ code: text, message: text })),
};

/** A call in lists of its tenant. */
export const callSchema = Type.Object(callMembers);

const traceMembers = {
  invoice: orNull(
    Type.Object(
      {
        id: orNull(text),
        status: Type.String({ enum: ['upcoming', 'final'] }),
        periodStart: text,
        periodEnd: text,
        plan: text,
        lines: Type.Array(Type.Object({ priceId: text, meter: text })),
      },
      {
        description: 'The invoice that the call is on, or will be on (id null), and its lines. Null: it is not billed.',
      },
    ),
  ),
  trace: Type.Array(Type.Object({ step: text, outcome: text, us: Type.Number(), detail: free })),
  origin: Type.Object({ ip: text, client: text }),
  attempts: Type.Array(free),
};

/** A call with its decision trace. */
export const callWithTraceSchema = Type.Object({ ...callMembers, ...traceMembers });

const costMembers = {
  cost: orNull(Type.String({ description: "Decimal: what providers charge the platform's keys." })),
  costCurrency: orNull(text),
  writer: text,
};

/** A call as operators see it in lists: with what the provider charges. */
export const platformCallSchema = Type.Object({ ...callMembers, ...costMembers });

/** A call as operators see it, with its decision trace. */
export const platformCallWithTraceSchema = Type.Object({ ...callMembers, ...costMembers, ...traceMembers });

const time = Type.String({ format: 'date-time' });

/** The query of lists of calls. */
export const callFilterSchema = {
  from: Type.Optional(time),
  to: Type.Optional(time),
  status: Type.Optional(Type.String({ enum: ['ok', 'failed', 'cancelled', 'refused'] })),
  kind: Type.Optional(Type.String({ enum: ['chat', 'embedding', 'run'] })),
  model: Type.Optional(Type.String({ maxLength: 200 })),
  keyId: Type.Optional(text),
  agentId: Type.Optional(text),
};

const groupNames = ['day', 'hour', 'model', 'key', 'agent', 'type', 'mode'];

/** The query of usage sums. */
export const usageQuery = {
  from: Type.Optional(time),
  to: Type.Optional(time),
  mode: Type.Optional(
    Type.String({
      enum: ['live', 'test', 'all'],
      description:
        'live (default): what is billed. test: what test keys used, never billed. Grouped by mode the default is all.',
    }),
  ),
  groupBy: Type.Optional(Type.String({ enum: groupNames, default: 'day' })),
};

/** The same for operators. */
export const platformUsageQuery = {
  ...usageQuery,
  groupBy: Type.Optional(Type.String({ enum: [...groupNames, 'tenant'], default: 'day' })),
  tenantId: Type.Optional(text),
  includeDemo: Type.Optional(Type.Boolean({ default: false })),
};

/** Usage summed by group. */
export const usageSchema = Type.Object({
  from: text,
  to: text,
  groupBy: text,
  timeZone: text,
  data: Type.Array(
    Type.Object({
      group: text,
      events: Type.Integer(),
      quantities: Type.Record(text, text),
      prices: Type.Array(Type.Object({ currency: text, amount: text })),
    }),
  ),
});

const idKinds: Record<string, IdKind> = { key: 'key', agent: 'agent', tenant: 'tenant' };

/** A sum in its outside form. */
export function shownSum(sum: UsageSum, group: UsageGroup): UsageSum {
  const kind = idKinds[group];
  return kind === undefined || sum.group === '' ? sum : { ...sum, group: formatId(kind, sum.group) };
}

/** A call in its outside form, with everything: response schemas cut away what the reader may not see. */
export function shownCall(row: CallRow): Omit<Static<typeof platformCallWithTraceSchema>, 'invoice'> & {
  ownCost: string | null;
  ownCostCurrency: string | null;
} {
  const { detail } = row;
  const kind = detail.principal.kind === 'key' ? 'key' : 'user';
  const id = (of: IdKind, uuid: string | null) => (uuid === null ? null : formatId(of, uuid));
  return {
    id: formatId('call', row.id),
    tenantId: formatId('tenant', row.tenantId),
    at: row.at,
    endedAt: row.endedAt,
    demo: row.demo,
    mode: row.mode,
    kind: row.kind,
    status: row.status,
    httpStatus: row.httpStatus,
    principal: { ...detail.principal, id: outside(kind, detail.principal.id) },
    keyId: id('key', row.keyId),
    agentId: id('agent', row.agentId),
    agentVersion: detail.agentVersion,
    runId: id('run', row.runId),
    provider: row.provider,
    model: row.model,
    stream: row.stream,
    inputTokens: row.inputTokens,
    outputTokens: row.outputTokens,
    quantities: detail.quantities,
    reserved: detail.reserved,
    estimated: row.estimated,
    late: row.late,
    cost: row.cost === null ? null : trimmed(row.cost),
    costCurrency: row.costCurrency,
    ownCost: detail.ownCost === undefined ? null : trimmed(detail.ownCost),
    ownCostCurrency: detail.ownCostCurrency ?? null,
    writer: formatId('node', row.writer),
    price: row.price === null ? null : trimmed(row.price),
    currency: row.currency,
    requests: row.requests,
    firstByteMs: detail.firstByteMs,
    durationMs: Math.max(0, Date.parse(row.endedAt) - Date.parse(row.at)),
    error: detail.error,
    trace: readTrace(detail.trace),
    origin: detail.origin,
    attempts: detail.attempts,
  };
}

/** A call as its tenant sees it: with what its own provider keys are charged, not with what the platform's are. */
export function ownCall(row: CallRow) {
  const { writer: _, ownCost, ownCostCurrency, ...call } = shownCall(row);
  return { ...call, cost: ownCost, costCurrency: ownCostCurrency };
}

/** Where a call stands on a bill, in its outside form. */
export function shownInvoice(named: NamedLines | null): Static<typeof traceMembers.invoice> {
  if (named === null || named.lines.length === 0) return null;
  const { id, lines } = named;
  return {
    ...named,
    id: id === null ? null : formatId('invoice', id),
    lines: lines.map(({ priceId, meter }) => ({ priceId: formatId('price', priceId), meter })),
  };
}

function outside(kind: IdKind, id: string): string {
  return /^[0-9a-f-]{36}$/.test(id) ? formatId(kind, id) : id;
}

/** `numeric(38,12)` comes with all its places. */
function trimmed(amount: string): string {
  return amount.includes('.') ? amount.replace(/\.?0+$/, '') : amount;
}
