import { isInReach, type Reach } from '#kernel/agent-reach';
import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import { type Page, pageOf } from '#kernel/pages';
import { notFound } from '#kernel/problem';

import type { CallRecorder } from './call-recorder.ts';
import { RefusalCoalescer } from './coalesce-refusals.ts';
import type { CallRecord, Charge, Entry, UsageEvent, UsedByCall } from './records.ts';
import {
  type CallFilter,
  type CallRow,
  readCall,
  readCallPage,
  readHeads,
  readNumbered,
  readUsageSums,
  readUsedBy,
  type UsageFilter,
  type UsageGroup,
} from './store.ts';
import { countUsage, type MarginSum, readMargins, readTotals, type UsageTotals } from './usage-totals.ts';

/** How far a batch reader has read each writer: `writer:epoch` → number of the last row. */
export type WriterCursors = Readonly<Record<string, number>>;

/** Usage of one group: events, quantities by name, and prices by currency (decimal strings). */
export type UsageSum = {
  group: string;
  events: number;
  quantities: Record<string, string>;
  prices: { currency: string; amount: string }[];
};

/** A usage row as batch readers get it. */
export type UsageRow = Required<Pick<UsageEvent, 'tenantId' | 'id' | 'source' | 'type' | 'demo' | 'mode'>> & {
  at: string;
  writer: string;
  epoch: number;
  writerSeq: number;
  dimensions: Record<string, string>;
  quantities: Record<string, string | number>;
  estimated: boolean;
  late: boolean;
  recordedAt: string;
  price: string | null;
  currency: string | null;
  cost: string | null;
  costCurrency: string | null;
};

/** What was used: takes calls and usage in, and answers from them. */
export class MeteringManager {
  readonly #db: Doors;
  readonly #recorder: CallRecorder;
  readonly #refusals: RefusalCoalescer;

  constructor(deps: { db: Doors; log: Logger; recorder: CallRecorder }) {
    this.#db = deps.db;
    this.#recorder = deps.recorder;
    this.#refusals = new RefusalCoalescer({
      write: (call, requests) => {
        this.#recorder
          .record({ call, usage: [], charges: [], requests })
          .catch((error: unknown) => deps.log.debug({ err: error }, 'a refusal could not be recorded'));
      },
    });
  }

  /** Resolves when the entry is committed, or synced to this node's spool while the database is away; 503 when neither is possible. */
  record(entry: Entry): Promise<void> {
    return this.#recorder.record(entry);
  }

  /** Records usage that is no call of its own (steps of runs), each row with what it takes from leases. A row that is there is dropped. */
  async recordUsage(rows: readonly { usage: UsageEvent; charges: readonly Charge[] }[]): Promise<void> {
    await Promise.all(rows.map(({ usage, charges }) => this.#recorder.record({ call: null, usage: [usage], charges })));
  }

  /** Takes a refused call, coalesced; returns the id of the row that stands for it (its own or the first of its kind this second). */
  refuse(call: CallRecord): string {
    return this.#refusals.refuse(call);
  }

  /** Takes in the spool of a process that is gone. Returns how many entries it held. */
  ingestSpool(folder: string): Promise<number> {
    return this.#recorder.ingest(folder);
  }

  /** Calls of a tenant, newest first, those before the id `before`. */
  async listCalls(
    tenantId: string,
    filter: Omit<CallFilter, 'tenantId'>,
    before: string | undefined,
    limit: number,
  ): Promise<Page<CallRow>> {
    const own = { ...filter, tenantId };
    const rows = await this.#db.forTenant(tenantId, (tx) => readCallPage(tx, own, before, limit));
    return pageOf(rows, limit, ({ id }) => [id]);
  }

  /** Calls of all tenants, or of one. */
  async listAllCalls(filter: CallFilter, before: string | undefined, limit: number): Promise<Page<CallRow>> {
    const rows = await this.#db.forPlatform((tx) => readCallPage(tx, filter, before, limit));
    return pageOf(rows, limit, ({ id }) => [id]);
  }

  /** One call, with its trace; 404, also for one beyond the reach of the reader's key. */
  async getCall(tenantId: string, id: string, reach?: Reach): Promise<CallRow> {
    const row = await this.#db.forTenant(tenantId, (tx) => readCall(tx, tenantId, id));
    if (row === undefined || !isInReach(reach, row)) throw notFound('call');
    return row;
  }

  /** One call of whichever tenant; 404 as {@link getCall}. */
  async getAnyCall(id: string, reach?: Reach): Promise<CallRow> {
    const row = await this.#db.forPlatform((tx) => readCall(tx, undefined, id));
    if (row === undefined || !isInReach(reach, row)) throw notFound('call');
    return row;
  }

  /** Usage summed by group; of one tenant, or of all when `tenantId` is absent (operators). Days are those of `zone`. */
  async sumUsage(
    filter: UsageFilter,
    group: UsageGroup,
    zone: string,
    area: 'tenant' | 'platform',
  ): Promise<UsageSum[]> {
    const { quantities, totals } =
      area === 'tenant' && filter.tenantId !== undefined
        ? await this.#db.forTenant(filter.tenantId, (tx) => readUsageSums(tx, filter, group, zone))
        : await this.#db.forPlatform((tx) => readUsageSums(tx, filter, group, zone));
    const sums = new Map<string, UsageSum>();
    for (const { bucket, currency, events, price } of totals) {
      const sum = sums.get(bucket) ?? { group: bucket, events: 0, quantities: {}, prices: [] };
      sum.events += events;
      if (currency !== null && price !== null) sum.prices.push({ currency, amount: price });
      sums.set(bucket, sum);
    }
    for (const { bucket, name, value } of quantities) {
      const sum = sums.get(bucket);
      if (sum !== undefined) sum.quantities[name] = value;
    }
    return [...sums.values()];
  }

  /** What a call used that is billed; see {@link readUsedBy}. */
  usedBy(call: CallRow): Promise<UsedByCall[]> {
    return this.#db.forTenant(call.tenantId, (tx) => readUsedBy(tx, call));
  }

  /** A tenant's live usage, summed for bills; see {@link readTotals}. */
  totals(tenantId: string, from: string, to: string, dimensions: readonly string[]): Promise<UsageTotals[]> {
    return this.#db.forTenant(tenantId, (tx) => readTotals(tx, tenantId, from, to, dimensions));
  }

  /** How many rows {@link totals} would sum. */
  count(tenantId: string, from: string, to: string): Promise<number> {
    return this.#db.forTenant(tenantId, (tx) => countUsage(tx, tenantId, from, to));
  }

  /** Price and cost by tenant, agent and currency. */
  margins(filter: { from: string; to: string; tenantId?: string; includeDemo: boolean }): Promise<MarginSum[]> {
    return this.#db.forPlatform((tx) => readMargins(tx, filter));
  }

  /** Cursors at the end of the calls: for a reader that wants only what comes. */
  callHeads(): Promise<WriterCursors> {
    return this.#db.forService('log_reader', (tx) => readHeads(tx, 'calls'));
  }

  /** The next calls for a batch reader, and its cursors after them. Of one writer they come in the order of their numbers. */
  async readCalls(cursors: WriterCursors, limit = 1_000): Promise<{ rows: CallRow[]; cursors: WriterCursors }> {
    const rows = await this.#db.forService('log_reader', (tx) => readNumbered<CallRow>(tx, 'calls', cursors, limit));
    return { rows, cursors: after(cursors, rows) };
  }

  /** The next usage rows for a batch reader, and its cursors after them. */
  async readUsage(cursors: WriterCursors, limit = 1_000): Promise<{ rows: UsageRow[]; cursors: WriterCursors }> {
    const rows = await this.#db.forService('log_reader', (tx) => readNumbered<UsageRow>(tx, 'usage', cursors, limit));
    return { rows, cursors: after(cursors, rows) };
  }

  /** Writes the counts of refusals that are still gathered. */
  flushRefusals(): void {
    this.#refusals.flush();
  }
}

function after(
  cursors: WriterCursors,
  rows: readonly { writer: string; epoch: number; writerSeq: number }[],
): WriterCursors {
  const next = { ...cursors };
  for (const { writer, epoch, writerSeq } of rows) next[`${writer}:${epoch}`] = writerSeq;
  return next;
}
