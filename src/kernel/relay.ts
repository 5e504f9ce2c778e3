import type { Client } from 'pg';

import type { Connector } from '#kernel/database-connector';
import type { Logger } from '#kernel/logger';

const lockKey = 7_216_549_002;
const heartbeatMs = 500;
const batch = 2_000;
const tendMs = 3_600_000;
/** Between looks into the outbox, milliseconds: a fifth of the time since something was in it, so that what follows from it is not held up, within these. */
const lookMs = { least: 25, most: 200 };

/** The channel that wakes followers; only the relay notifies, never a hot transaction. */
export const logChannel = 'lintel_log';

// One statement: the batch leaves the outbox and gets its dense numbers under the fenced head, or nothing happens.
const moveSql = `
WITH head AS (
  SELECT seq FROM log_head WHERE epoch = $1 FOR UPDATE
), moved AS (
  DELETE FROM outbox USING head
  WHERE (outbox.tenant_id, outbox.id) IN (SELECT tenant_id, id FROM outbox ORDER BY id LIMIT ${batch} FOR UPDATE SKIP LOCKED)
  RETURNING outbox.id, outbox.event
), written AS (
  INSERT INTO log (at, seq, event)
  SELECT clock_timestamp(), head.seq + row_number() OVER (ORDER BY moved.id), moved.event FROM moved, head
  RETURNING seq
), counted AS (
  UPDATE log_head SET
    seq = log_head.seq + (SELECT count(*) FROM written),
    heartbeat = log_head.heartbeat + CASE WHEN $2 THEN 1 ELSE 0 END
  FROM head WHERE log_head.epoch = $1
  RETURNING log_head.seq
)
SELECT (SELECT count(*) FROM written)::int AS moved, (SELECT count(*) FROM counted)::int AS held`;

/**
 * Moves committed events from the outbox to the log with a dense number. One relay works at a time in a whole installation: it
 * holds a session lock, and a fencing epoch makes a deposed one harmless. Beats every 500 ms, so that readers can tell "nothing
 * happened" from "nobody moves the log".
 */
export class Relay {
  readonly #connector: Connector;
  readonly #log: Logger;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(deps: { connector: Connector; log: Logger }) {
    this.#connector = deps.connector;
    this.#log = deps.log;
  }

  /** Begins to seek the lock and to relay; returns at once. */
  start(): void {
    this.#running = this.#seek();
  }

  /** Ends after the batch in hand. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #seek(): Promise<void> {
    while (!this.#stopped) {
      const client = this.#connector.open();
      client.on('error', () => undefined);
      try {
        await client.connect();
        await client.query('SET ROLE lintel_relay');
        while (!this.#stopped && !(await this.#tryLock(client))) await pause(500);
        if (!this.#stopped) await this.#relay(client);
      } catch (error) {
        if (!this.#stopped) this.#log.warn({ err: error }, 'the relay lost the database; it tries again');
        await pause(250);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }

  async #tryLock(client: Client): Promise<boolean> {
    const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS locked', [lockKey]);
    return rows[0].locked;
  }

  async #relay(client: Client): Promise<void> {
    const { rows } = await client.query('UPDATE log_head SET epoch = epoch + 1 RETURNING epoch');
    const epoch = rows[0].epoch;
    this.#log.info({ epoch }, 'this process relays the log');
    let beatAt = 0;
    let movedAt = 0;
    let tendedAt = Number.NEGATIVE_INFINITY;
    while (!this.#stopped) {
      if (performance.now() - tendedAt >= tendMs) {
        // By the database's clock, as the rows are: this machine's may jump, and old partitions go.
        await client.query("SELECT lintel_tend_log((clock_timestamp() AT TIME ZONE 'UTC')::date)");
        tendedAt = performance.now();
      }
      const beat = performance.now() - beatAt >= heartbeatMs;
      if (!beat) {
        const { rows: waiting } = await client.query({ name: 'relay-waiting', text: 'SELECT 1 FROM outbox LIMIT 1' });
        if (waiting.length === 0) {
          await pause(Math.min(lookMs.most, Math.max(lookMs.least, (performance.now() - movedAt) / 5)));
          continue;
        }
      }
      const moved = await client.query({ name: 'relay-move', text: moveSql, values: [epoch, beat] });
      if (moved.rows[0].held === 0) throw new Error('another relay took over');
      if (beat) beatAt = performance.now();
      if (moved.rows[0].moved > 0) movedAt = performance.now();
      if (moved.rows[0].moved > 0 || beat) await client.query(`NOTIFY ${logChannel}`);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
