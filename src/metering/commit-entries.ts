import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { killPoint } from '#kernel/faults';
import { idTime } from '#kernel/ids';

import { type ChargeSink, type Entry, entryId } from './records.ts';
import { callRow, insertRows, type Numbering, tendPartitions, usageRow, writeNumbering } from './store.ts';

/** An entry as it is committed; `requests` is how many requests its call stands for. */
export type Recorded = Entry & { readonly requests?: number };

/** Commits entries, one batch at a time, each entry once whatever is repeated, with densely numbered rows. */
export class EntryCommitter {
  readonly #db: Pick<Doors, 'forService'>;
  readonly #charges: ChargeSink;
  readonly #clock: Clock;
  readonly #months = new Set<number>();
  #numbering: Numbering;

  constructor(deps: { db: Pick<Doors, 'forService'>; charges: ChargeSink; clock: Clock; writer: string }) {
    this.#db = deps.db;
    this.#charges = deps.charges;
    this.#clock = deps.clock;
    this.#numbering = { writer: deps.writer, epoch: 1, calls: 0, usage: 0 };
  }

  /** Numbers from 1 again under a new epoch: after a commit whose end is not known. */
  nextEpoch(): void {
    const { writer, epoch } = this.#numbering;
    this.#numbering = { writer, epoch: epoch + 1, calls: 0, usage: 0 };
  }

  /** Makes the partitions of this month and the next. */
  async tend(): Promise<void> {
    await this.#tendMonthOf(this.#clock.now().epochMilliseconds);
  }

  /**
   * Commits entries in one transaction; those that are there already are left out with their charges. `late`: they come from a
   * spool, may be there, and are marked late when their lease is gone or, without one, when they ended before `late.before`.
   */
  async commit(entries: readonly Recorded[], late?: { before: Temporal.Instant }): Promise<void> {
    for (const entry of entries) {
      for (const { id } of [entry.call, ...entry.usage].filter((row) => row !== null))
        await this.#tendMonthOf(idTime(id));
    }
    const { writer, epoch } = this.#numbering;
    const again = late !== undefined;
    const write = (inOrder: boolean) =>
      this.#db.forService('usage_writer', async (tx) => {
        const marked = late === undefined ? entries : await this.#markLate(tx, entries, late.before);
        const written = await this.#write(tx, marked, again, inOrder);
        killPoint('call-before-commit');
        return written;
      });
    const numbered = await write(again).catch((error: unknown) => {
      if (!(error instanceof RowsThere)) throw error;
      return write(true);
    });
    // A batch that was given up meanwhile must not move the numbers of its successor.
    if (writer === this.#numbering.writer && epoch === this.#numbering.epoch) this.#numbering = numbered;
  }

  /**
   * Writes rows, charges and numbering. Not `inOrder`, as if all rows were new, which spares the answers between the statements;
   * throws {@link RowsThere} where some were not.
   */
  async #write(tx: Tx, entries: readonly Recorded[], again: boolean, inOrder: boolean): Promise<Numbering> {
    const now = this.#clock.now().toString({ smallestUnit: 'millisecond' });
    const calls: Record<string, unknown>[] = [];
    const usage: Record<string, unknown>[] = [];
    for (const entry of entries) {
      if (entry.call !== null) calls.push(callRow(entry.call, entry.requests ?? 1));
      for (const event of entry.usage) usage.push(usageRow(event, now));
    }
    const before = this.#numbering;
    const none = { count: 0, ids: null };
    const insertCalls = () => (calls.length === 0 ? none : insertRows(tx, 'calls', calls, before, again));
    const insertUsage = () => (usage.length === 0 ? none : insertRows(tx, 'usage', usage, before, again));
    const charge = (charges: Entry['charges']) =>
      charges.length === 0 ? undefined : this.#charges.chargeCommitted(tx, charges);
    const numbered = { ...before, calls: before.calls + calls.length, usage: before.usage + usage.length };
    if (!inOrder) {
      const [newCalls, newUsage] = await Promise.all([
        insertCalls(),
        insertUsage(),
        charge(chargesOf(entries, null, null)),
        writeNumbering(tx, numbered, now),
      ]);
      if (newCalls.ids !== null || newUsage.ids !== null) throw new RowsThere();
      return numbered;
    }
    const newCalls = await insertCalls();
    const newUsage = await insertUsage();
    const after = again
      ? { ...before, calls: before.calls + newCalls.count, usage: before.usage + newUsage.count }
      : numbered;
    await charge(chargesOf(entries, newCalls.ids, newUsage.ids));
    if (newCalls.count + newUsage.count > 0) await writeNumbering(tx, after, now);
    return after;
  }

  async #markLate(tx: Tx, entries: readonly Recorded[], before: Temporal.Instant): Promise<readonly Recorded[]> {
    const leaseIds = new Set(entries.flatMap(({ charges }) => charges.map(({ leaseId }) => leaseId)));
    const gone = leaseIds.size === 0 ? new Set<string>() : await this.#charges.leasesGone(tx, [...leaseIds]);
    return entries.map((entry) => {
      const late =
        entry.charges.length > 0
          ? entry.charges.some(({ leaseId }) => gone.has(leaseId))
          : idTime(entryId(entry)) < before.epochMilliseconds;
      if (!late) return entry;
      return {
        ...entry,
        call: entry.call === null ? null : { ...entry.call, late },
        usage: entry.usage.map((event) => ({ ...event, late })),
      };
    });
  }

  async #tendMonthOf(epochMs: number): Promise<void> {
    const date = new Date(epochMs);
    const month = date.getUTCFullYear() * 12 + date.getUTCMonth();
    if (this.#months.has(month)) return;
    await this.#db.forService('usage_writer', (tx) => tendPartitions(tx, date.toISOString().slice(0, 10)));
    this.#months.add(month);
  }
}

/** Rows that were taken for new were there: what was written on that ground is rolled back. */
class RowsThere extends Error {}

/** The charges of the entries that were not there before. `null` ids: all are new. An entry twice in a batch is charged once. */
function chargesOf(
  entries: readonly Recorded[],
  newCalls: readonly string[] | null,
  newUsage: readonly string[] | null,
): Entry['charges'] {
  const fresh = { calls: newCalls && new Set(newCalls), usage: newUsage && new Set(newUsage) };
  const seen = new Set<string>();
  return entries.flatMap((entry) => {
    if (entry.charges.length === 0) return [];
    const id = entryId(entry);
    const among = entry.call === null ? fresh.usage : fresh.calls;
    if (seen.has(id) || (among !== null && !among.has(id))) return [];
    seen.add(id);
    return entry.charges;
  });
}
