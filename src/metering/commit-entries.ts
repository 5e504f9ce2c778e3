import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { killPoint } from '#kernel/faults';
import { idTime } from '#kernel/ids';

import { type ChargeSink, type Entry, entryId } from './records.ts';
import {
  insertMissing,
  insertNew,
  type Numbering,
  noteNumbering,
  tendPartitions,
  type WrittenCall,
  type WrittenUsage,
} from './write-rows.ts';

/** An entry as it is committed; `requests` is how many requests its call stands for. */
export type Recorded = Entry & { readonly requests?: number };

/** Commits entries, one batch at a time, each entry once whatever is repeated, with densely numbered rows. */
export class EntryCommitter {
  readonly #db: Pick<Doors, 'forService' | 'inOneTrip'>;
  readonly #charges: ChargeSink;
  readonly #clock: Clock;
  readonly #months = new Set<number>();
  #numbering: Numbering;

  constructor(deps: {
    db: Pick<Doors, 'forService' | 'inOneTrip'>;
    charges: ChargeSink;
    clock: Clock;
    writer: string;
  }) {
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
    const before = this.#numbering;
    const numbered = await (late === undefined
      ? this.#writeNew(entries, before)
      : this.#writeMissing(entries, before, late));
    // A batch that was given up meanwhile must not move the numbers of its successor.
    if (before.writer === this.#numbering.writer && before.epoch === this.#numbering.epoch) this.#numbering = numbered;
  }

  /** Writes entries as if all were new, in one trip; where one was there the unique key undoes it all and they go the longer way. */
  async #writeNew(entries: readonly Recorded[], before: Numbering): Promise<Numbering> {
    const { calls, usage, now } = this.#rowsOf(entries);
    const numbered = { ...before, calls: before.calls + calls.length, usage: before.usage + usage.length };
    const charges = chargesOf(entries, null);
    const statements = [
      ...(calls.length === 0 ? [] : [insertNew('calls', calls, before)]),
      ...(usage.length === 0 ? [] : [insertNew('usage', usage, before)]),
      ...(charges.length === 0 ? [] : [this.#charges.charge(charges)]),
      noteNumbering(numbered, now),
    ];
    killPoint('call-before-commit');
    try {
      await this.#db.inOneTrip('usage_writer', statements);
      return numbered;
    } catch (error) {
      if ((error as { code?: unknown }).code !== uniqueViolation) throw error;
      return this.#writeMissing(entries, before, undefined);
    }
  }

  /** Writes the entries that are not there. `late`: see {@link EntryCommitter.commit}. */
  #writeMissing(
    entries: readonly Recorded[],
    before: Numbering,
    late: { before: Temporal.Instant } | undefined,
  ): Promise<Numbering> {
    return this.#db.forService('usage_writer', async (tx) => {
      const marked = late === undefined ? entries : await this.#markLate(tx, entries, late.before);
      const { calls, usage, now } = this.#rowsOf(marked);
      const newCalls = await insertMissing(tx, 'calls', calls, before);
      const newUsage = await insertMissing(tx, 'usage', usage, before);
      const charges = chargesOf(marked, { calls: newCalls, usage: newUsage });
      if (charges.length > 0) await tx.run(this.#charges.charge(charges));
      // Numbers that were not taken are holes below the head, which readers pass over.
      const numbered = { ...before, calls: before.calls + calls.length, usage: before.usage + usage.length };
      if (newCalls.size + newUsage.size > 0) await tx.run(noteNumbering(numbered, now));
      killPoint('call-before-commit');
      return newCalls.size + newUsage.size > 0 ? numbered : before;
    });
  }

  #rowsOf(entries: readonly Recorded[]): { calls: WrittenCall[]; usage: WrittenUsage[]; now: string } {
    const now = this.#clock.now();
    const calls: WrittenCall[] = [];
    const usage: WrittenUsage[] = [];
    for (const entry of entries) {
      if (entry.call !== null) calls.push({ call: entry.call, requests: entry.requests ?? 1 });
      for (const event of entry.usage) usage.push({ event, recordedAt: now.epochMilliseconds });
    }
    return { calls, usage, now: now.toString({ smallestUnit: 'millisecond' }) };
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

/** SQLSTATE `unique_violation`. */
const uniqueViolation = '23505';

/** The charges of the entries that were written; without `fresh` all were. An entry twice in a batch is charged once. */
function chargesOf(
  entries: readonly Recorded[],
  fresh: { calls: ReadonlySet<string>; usage: ReadonlySet<string> } | null,
): Entry['charges'] {
  const seen = new Set<string>();
  return entries.flatMap((entry) => {
    if (entry.charges.length === 0) return [];
    const id = entryId(entry);
    const among = entry.call === null ? fresh?.usage : fresh?.calls;
    if (seen.has(id) || among?.has(id) === false) return [];
    seen.add(id);
    return entry.charges;
  });
}
