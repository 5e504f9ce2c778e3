import { hostname } from 'node:os';

import type { Doors } from '#kernel/database';
import { newId } from '#kernel/ids';
import type { Logger } from '#kernel/logger';
import { repeat } from '#kernel/repeat';

/** What a process is there for. */
export type NodeRole = 'front' | 'background';

/** This process as a node of the house: one row, a new id at each start, a heartbeat each second. */
export class NodeKeeper {
  readonly id = newId();
  readonly role: NodeRole;
  readonly #doors: Pick<Doors, 'forService'>;
  readonly #log: Logger;
  readonly #version: string;
  readonly #spool: string | undefined;
  readonly #counters: (() => Record<string, number>)[] = [];
  readonly #snapshotSeq: () => number;
  #endBeats: () => Promise<void> = () => Promise.resolve();

  constructor(deps: {
    doors: Pick<Doors, 'forService'>;
    log: Logger;
    role: NodeRole;
    version: string;
    spool?: string;
    snapshotSeq: () => number;
  }) {
    this.#doors = deps.doors;
    this.#log = deps.log;
    this.role = deps.role;
    this.#version = deps.version;
    this.#spool = deps.spool;
    this.#snapshotSeq = deps.snapshotSeq;
  }

  /** Adds numbers that are published with each heartbeat. */
  publish(counters: () => Record<string, number>): void {
    this.#counters.push(counters);
  }

  /** Writes the node's row and begins to beat. */
  async start(): Promise<void> {
    await this.#doors.forService('node_keeper', (tx) =>
      tx.execute('INSERT INTO nodes (id, role, host, pid, version, spool) VALUES ($1, $2, $3, $4, $5, $6)', [
        this.id,
        this.role,
        hostname(),
        process.pid,
        this.#version,
        this.#spool ?? null,
      ]),
    );
    this.#endBeats = repeat(
      1_000,
      () => this.#beat(),
      (error) => this.#log.debug({ err: error }, 'no heartbeat'),
    );
  }

  /** Says that the node ended by itself. */
  async stop(): Promise<void> {
    await this.#endBeats();
    await this.#doors
      .forService('node_keeper', (tx) =>
        tx.execute('UPDATE nodes SET ended_at = clock_timestamp() WHERE id = $1', [this.id]),
      )
      .catch(() => undefined);
  }

  async #beat(): Promise<void> {
    const counters = Object.assign({}, ...this.#counters.map((read) => read())) as Record<string, number>;
    await this.#doors.forService('node_keeper', (tx) =>
      tx.prepared(
        'node-beat',
        'UPDATE nodes SET heartbeat_at = clock_timestamp(), snapshot_seq = $2, counters = $3 WHERE id = $1',
        [this.id, this.#snapshotSeq(), JSON.stringify(counters)],
      ),
    );
  }
}
