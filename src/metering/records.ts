import type { Statement, Tx } from '#kernel/database';
import type { TraceStep } from '#kernel/http';

/** A settled amount on a lease, applied in the transaction that commits the row it belongs to. `leaseId` is the lease's own text. */
export type Charge = { leaseId: string; amount: bigint };

/** One request to a model, embedding or agent route: the audit record of that call. Ids are UUIDs, version 7. */
export type CallRecord = {
  id: string;
  tenantId: string;
  demo: boolean;
  mode: 'live' | 'test';
  kind: 'chat' | 'embedding' | 'run';
  status: 'ok' | 'failed' | 'cancelled' | 'refused';
  httpStatus: number;
  principalKind: string;
  principalId: string;
  principalName: string;
  keyId: string | null;
  agentId: string | null;
  agentVersion: number | string | null;
  runId: string | null;
  providerId: string | null;
  provider: string | null;
  model: string | null;
  stream: boolean;
  trace: TraceStep[];
  /** Tokens; money as a decimal string. */
  reserved: { tokens: number; money: string | null } | null;
  /** By meter name: `input_tokens` (with cached), `output_tokens` (with reasoning), … */
  quantities: Record<string, number>;
  /** The usage was estimated after a cut. */
  estimated: boolean;
  /** The usage was found in a spool after its lease had gone. */
  late: boolean;
  /** What providers charge the platform: decimal string. */
  cost: string | null;
  costCurrency: string | null;
  /** What they charge the tenant's own keys. */
  ownCost?: string;
  ownCostCurrency?: string;
  /** Quantity × list price: decimal string. */
  price: string | null;
  currency: string | null;
  origin: { ip: string; client: string };
  attempts: { provider: string; model: string; status: number | string; ms: number }[];
  error: { code: string; message: string } | null;
  /** ISO 8601 UTC. */
  startedAt: string;
  endedAt: string;
  firstByteMs: number | null;
};

/** What was used, as bills count it. The time is derived from the id (UUID version 7). */
export type UsageEvent = {
  tenantId: string;
  id: string;
  source: string;
  type: string;
  /** `model`, `provider`, `key`, `agent` … : what usage is grouped and priced by. */
  dimensions: Readonly<Record<string, string>>;
  quantities: Readonly<Record<string, string | number>>;
  demo: boolean;
  mode: 'live' | 'test';
  estimated?: boolean;
  late?: boolean;
  price?: string;
  currency?: string;
  cost?: string;
  costCurrency?: string;
  /** See {@link CallRecord}; known to runs, which add it up: no row of usage keeps it. */
  ownCost?: string;
  ownCostCurrency?: string;
};

/**
 * Whose cost it is what a provider charges: the platform's, which only operators see and margins count, or that of the tenant whose
 * own key is charged, which sees it and the platform does not count.
 */
export function costsOf(
  cost: { amount: string; currency: string } | null,
  keyOwner: 'platform' | 'tenant',
): Pick<UsageEvent, 'cost' | 'costCurrency' | 'ownCost' | 'ownCostCurrency'> {
  if (cost === null) return {};
  const { amount, currency } = cost;
  return keyOwner === 'platform'
    ? { cost: amount, costCurrency: currency }
    : { ownCost: amount, ownCostCurrency: currency };
}

/** What is committed together: a call's row, its usage, and what that takes from leases. */
export type Entry = { call: CallRecord | null; usage: readonly UsageEvent[]; charges: readonly Charge[] };

/** Where charges go: the quota module, seen from below. */
export type ChargeSink = {
  /** Adds the amounts to their leases, in the commit's transaction (service `usage_writer`). Throws for what is no lease or amount. */
  charge(charges: readonly Charge[]): Statement;
  /** Those of the leases that blocked nothing any more: what is charged to them now comes late. */
  leasesGone(tx: Tx, leaseIds: readonly string[]): Promise<ReadonlySet<string>>;
};

/** The id that makes an entry's charges idempotent: its call's, else its first usage row's. Throws TypeError when it has neither. */
export function entryId({ call, usage }: Entry): string {
  const id = call?.id ?? usage[0]?.id;
  if (id === undefined) throw new TypeError('An entry needs a call or a usage row.');
  return id;
}

/** Usage of one call, as bills sum it. Quantities are decimal strings. */
export type UsedByCall = {
  type: string;
  dimensions: Record<string, string>;
  quantities: Record<string, string>;
};

/** The place of some usage on a bill: an invoice (`id` null: the upcoming one), and the lines that count it, by price and meter of the plan. */
export type NamedLines = {
  readonly id: string | null;
  readonly status: 'upcoming' | 'final';
  readonly periodStart: string;
  readonly periodEnd: string;
  readonly plan: string;
  readonly lines: readonly { readonly priceId: string; readonly meter: string }[];
};

/** Names the place of usage of an instant on a bill; null when the tenant is on no plan. `late`: found after its reservation had run out. */
export type NameLines = (used: {
  tenantId: string;
  at: string;
  late: boolean;
  usage: readonly UsedByCall[];
}) => Promise<NamedLines | null>;
