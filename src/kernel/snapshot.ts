import type { Doors, Tx } from '#kernel/database';
import type { Event } from '#kernel/log';
import { matchesType } from '#kernel/log';

/** How one snapshot is filled and kept up to date. */
export type SnapshotSource<V> = {
  readonly name: string;
  /** Event types (or beginnings ending in a dot) that change it. */
  readonly on: readonly string[];
  /** Which entries an event touches; the subject's id when not given; `'all'` reloads everything. */
  readonly touched?: (event: Event) => readonly string[] | 'all';
  /** Reads the present entries: all, or only those of the given keys (a key without an entry is gone). */
  readonly load: (tx: Tx, keys: readonly string[] | undefined) => Promise<Iterable<readonly [string, V]>>;
};

/** A part of the database held in memory for decisions without SQL. */
export type Snapshot<V> = {
  get(key: string): V | undefined;
  values(): IterableIterator<V>;
  readonly size: number;
  /** Rises with every change: lets derived indexes be rebuilt only when needed. */
  readonly version: number;
};

type Held = { source: SnapshotSource<unknown>; entries: Map<string, unknown>; version: number };

/** All snapshots of a process, loaded at start and refreshed by the log. */
export class Snapshots {
  readonly #doors: Pick<Doors, 'forService'>;
  readonly #held: Held[] = [];
  #tail: Promise<unknown> = Promise.resolve();

  constructor(doors: Pick<Doors, 'forService'>) {
    this.#doors = doors;
  }

  /** Declares a snapshot; it is empty until {@link loadAll}. */
  define<V>(source: SnapshotSource<V>): Snapshot<V> {
    const held: Held = { source: source as SnapshotSource<unknown>, entries: new Map(), version: 0 };
    this.#held.push(held);
    return {
      get: (key) => held.entries.get(key) as V | undefined,
      values: () => held.entries.values() as IterableIterator<V>,
      get size() {
        return held.entries.size;
      },
      get version() {
        return held.version;
      },
    };
  }

  /** Fills every snapshot. The follower must have noted its head before. */
  loadAll(): Promise<void> {
    return this.#inTurn(async () => {
      for (const held of this.#held) (await this.#read(held, undefined))();
    });
  }

  /** Applies events: rereads the entries they touch. */
  apply(events: readonly Event[]): Promise<void> {
    return this.#inTurn(() => this.#apply(events));
  }

  // One at a time: an older read must never overwrite a newer one.
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  // All are read before one is shown: who sees a new key sees the plan and the limits that came with it.
  async #apply(events: readonly Event[]): Promise<void> {
    const shows: (() => void)[] = [];
    for (const held of this.#held) {
      const keys = new Set<string>();
      let all = false;
      for (const event of events) {
        if (!matchesType(event.type, held.source.on)) continue;
        const touched = held.source.touched?.(event) ?? [event.subject.id];
        if (touched === 'all') all = true;
        else for (const key of touched) keys.add(key);
      }
      if (all) shows.push(await this.#read(held, undefined));
      else if (keys.size > 0) shows.push(await this.#read(held, [...keys]));
    }
    for (const show of shows) show();
  }

  /** Reads entries; the function returned shows them. */
  async #read(held: Held, keys: readonly string[] | undefined): Promise<() => void> {
    const found = new Map(await this.#doors.forService('snapshot_reader', (tx) => held.source.load(tx, keys)));
    return () => {
      held.version++;
      if (keys === undefined) held.entries = found;
      for (const key of keys ?? []) {
        const value = found.get(key);
        if (value === undefined) held.entries.delete(key);
        else held.entries.set(key, value);
      }
    };
  }
}
