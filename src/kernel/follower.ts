import type { Client } from 'pg';

import type { Doors } from '#kernel/database';
import type { Connector } from '#kernel/database-connector';
import type { Event } from '#kernel/log';
import type { Logger } from '#kernel/logger';
import { logChannel } from '#kernel/relay';

/** An event with its number in the log. */
export type Logged = Event & { seq: number };

type Listener = (events: readonly Logged[]) => void | Promise<void>;

/** How often the log is read without being woken, milliseconds: twice the beat, which comes first as long as wake-ups are heard. */
const pollMs = 1_000;

/** A node that had no answer for so long takes the database for away. */
const silentMs = 2_000;

/** A read without an answer is given up: its connection may be dead without knowing it. */
const patienceMs = 4_000;

const limit = 1_000;

type Batch = { heartbeat: number; events: Logged[] };

/**
 * Follows the log from its head in this process: wakes on the relay's notification, polls every 500 ms without it. Snapshots
 * and live streams listen here. Knows how fresh this node is: monotonic milliseconds since a heartbeat was last seen.
 */
export class LogFollower {
  readonly #doors: Pick<Doors, 'forService'>;
  readonly #connector: Connector;
  readonly #log: Logger;
  readonly #listeners = new Set<Listener>();
  #seq = 0;
  #heartbeat = -1;
  #beatSeenAt = performance.now();
  #contactSince: number | undefined;
  #lastContactAt = performance.now();
  #stopped = false;
  #hangUp: (() => void) | undefined;
  #woken = false;
  #wake: (() => void) | undefined;
  #running: Promise<void>[] = [];

  constructor(deps: { doors: Pick<Doors, 'forService'>; connector: Connector; log: Logger }) {
    this.#doors = deps.doors;
    this.#connector = deps.connector;
    this.#log = deps.log;
  }

  /** Number of the last event this process has applied. */
  get seq(): number {
    return this.#seq;
  }

  /** Called for every batch of events, in order; the next batch waits for the returned promise. One that fails gets the batch again. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Whether decisions from memory may be trusted. `stale`: the database answers but no heartbeat came for 5 s (fail closed).
   * `away`: the database cannot be reached since `awayMs`.
   */
  freshness(): { state: 'fresh' | 'stale' | 'away'; awayMs: number } {
    const now = performance.now();
    const silence = now - this.#lastContactAt;
    if (this.#contactSince === undefined || silence > silentMs) return { state: 'away', awayMs: silence };
    const reachableFor = now - this.#contactSince;
    return { state: now - this.#beatSeenAt > 5_000 && reachableFor > 5_000 ? 'stale' : 'fresh', awayMs: 0 };
  }

  /** Notes the present head (what is loaded after this call is at least that new) and begins to follow from there. */
  async start(): Promise<void> {
    const head = await this.#doors.forService('log_reader', (tx) =>
      tx.one<{ seq: number; heartbeat: number }>('SELECT seq, heartbeat FROM log_head'),
    );
    this.#seq = head.seq;
    this.#answered();
    this.#beat(head.heartbeat);
    this.#running = [this.#follow(), this.#hearWakeUps()];
  }

  /** Ends after the batch in hand. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#hangUp?.();
    this.#wakeUp();
    await Promise.all(this.#running);
  }

  /** Also heard while a batch is read: what was committed meanwhile is not in it. */
  #wakeUp(): void {
    this.#woken = true;
    this.#wake?.();
  }

  #answered(): void {
    const now = performance.now();
    if (now - this.#lastContactAt > silentMs) this.#contactSince = undefined;
    this.#lastContactAt = now;
    this.#contactSince ??= now;
  }

  #beat(heartbeat: number): void {
    if (heartbeat === this.#heartbeat) return;
    this.#heartbeat = heartbeat;
    this.#beatSeenAt = performance.now();
  }

  async #follow(): Promise<void> {
    let failures = 0;
    while (!this.#stopped) {
      this.#woken = false;
      try {
        while (await this.#readBatch());
        failures = 0;
      } catch (error) {
        this.#log[failures++ === 0 ? 'warn' : 'debug']({ err: error }, 'the log cannot be followed at the moment');
      }
      if (this.#stopped) return;
      if (!this.#woken) await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** True when there may be more. */
  async #readBatch(): Promise<boolean> {
    let batch: Batch;
    try {
      batch = await inTime(this.#fetch());
    } catch (error) {
      this.#contactSince = undefined;
      throw error;
    }
    this.#answered();
    const { events, heartbeat } = batch;
    if (events.length > 0) for (const listener of [...this.#listeners]) await listener(events);
    const last = events.at(-1);
    if (last !== undefined) this.#seq = last.seq;
    // Fresh only after what the heartbeat vouches for has been applied.
    if (events.length < limit) this.#beat(heartbeat);
    return events.length === limit;
  }

  async #fetch(): Promise<Batch> {
    const rows = await this.#doors.forService('log_reader', (tx) =>
      tx.prepared<{ headSeq: number; heartbeat: number; seq: number | null; event: Event | null }>(
        'follow-log',
        `SELECT head.seq AS head_seq, head.heartbeat, l.seq, l.event FROM log_head head
         LEFT JOIN LATERAL (SELECT seq, event FROM log WHERE seq > $1 AND seq <= head.seq ORDER BY seq LIMIT ${limit}) l ON true`,
        [this.#seq],
      ),
    );
    const events: Logged[] = [];
    for (const row of rows) if (row.seq !== null && row.event !== null) events.push({ ...row.event, seq: row.seq });
    return { events, heartbeat: rows[0]?.heartbeat ?? this.#heartbeat };
  }

  async #hearWakeUps(): Promise<void> {
    while (!this.#stopped) {
      const client: Client = this.#connector.open();
      const gone = new Promise<void>((resolve) => {
        client.on('error', () => resolve());
        client.on('end', resolve);
      });
      this.#hangUp = () => void client.end().catch(() => undefined);
      try {
        await client.connect();
        client.on('notification', () => this.#wakeUp());
        await client.query(`LISTEN ${logChannel}`);
        this.#wakeUp();
        await gone;
      } catch {
        // Polling goes on without the wake-up channel.
      } finally {
        await client.end().catch(() => undefined);
      }
      if (!this.#stopped) await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer for ${patienceMs} ms`)), patienceMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
