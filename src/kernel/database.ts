import type { Socket } from 'node:net';
import pg from 'pg';

import type { Connector } from '#kernel/database-connector';
import { isAway, isTransient, UnknownOutcome } from '#kernel/database-faults';
import { toRow } from '#kernel/database-rows';
import { requireUuid } from '#kernel/ids';
import { currentJoint, runJoint } from '#kernel/joint';
import { appendedIn, type Event } from '#kernel/log';
import { Problem, problems } from '#kernel/problem';

/**
 * One open transaction behind a door. Rows come with camelCase names; `timestamptz` as ISO 8601 text in UTC, `numeric` and
 * `date` as text, `bigint` as number.
 */
export type Tx = {
  /** All rows of a statement. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** The first row, or undefined. */
  maybe<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row | undefined>;
  /** The only row; throws when there is none. */
  one<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row>;
  /** How many rows the statement changed. */
  execute(text: string, values?: readonly unknown[]): Promise<number>;
  /** A named prepared statement for hot paths: parsed once per connection. */
  prepared<Row = Record<string, unknown>>(name: string, text: string, values: readonly unknown[]): Promise<Row[]>;
  /** The same for a statement that only changes rows: how many. */
  executePrepared(name: string, text: string, values: readonly unknown[]): Promise<number>;
  /** Goes on as a service in the same transaction: for a row that lives beside the tenant's (a directory entry). */
  asService<T>(service: Service, work: (tx: Tx) => Promise<T>): Promise<T>;
};

/** Database roles that a service door opens; each is granted named tables only (migrations). */
export const services = [
  'usage_writer',
  'relay',
  'log_reader',
  'snapshot_reader',
  'lease_keeper',
  'directory',
  'node_keeper',
] as const;

/** One of the {@link services}. */
export type Service = (typeof services)[number];

/** The three doors to the database. Modules get the doors that the checked list in `layers.json` names for them. */
export type Doors = {
  /** Rows of one tenant, kept apart by row-level security. */
  forTenant<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Rows of all tenants: operators' views and what belongs to no tenant. */
  forPlatform<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** The named tables of one service. */
  forService<T>(service: Service, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** The same door for statements that need not wait for each other's answers. */
  inOneTrip<T>(service: Service, send: (tx: Tx) => Promise<T>): Promise<T>;
};

/** How long the end waits for transactions that don't end, milliseconds. */
const closeMs = 5_000;

/**
 * A pool of connections to the writable PostgreSQL, opened only through the doors. Work given to a door may run again after a
 * transient fault that came before COMMIT: it must change nothing but the database.
 */
export class Database implements Doors {
  readonly #pool: pg.Pool;
  readonly #onCommit: ((events: readonly Event[]) => Promise<void>)[] = [];
  #reachable = true;
  #lastAnswerAt = performance.now();

  constructor(config: { connector: Connector; poolSize: number; onError?: (error: Error) => void }) {
    this.#pool = new pg.Pool({
      max: config.poolSize,
      idleTimeoutMillis: 60_000,
      connectionTimeoutMillis: 5_000,
      Client: config.connector.client,
    } as pg.PoolConfig);
    this.#pool.on('error', (error) => config.onError?.(error));
  }

  /** Whether the last contact with the database succeeded. */
  get reachable(): boolean {
    return this.#reachable;
  }

  /** Monotonic milliseconds of the last answer. */
  get lastAnswerAt(): number {
    return this.#lastAnswerAt;
  }

  async forTenant<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#open(tenantDoor(tenantId), work);
  }

  forPlatform<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#open('SET LOCAL ROLE lintel_platform', work);
  }

  forService<T>(service: Service, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#open(serviceDoor(service), work);
  }

  /**
   * Runs work in one transaction that every door opened inside joins, one after the other: what a request changes and the
   * record that it was made are kept together or not at all. The work runs once at most: it is a whole request.
   */
  async together<T>(tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    const door = tenantDoor(tenantId);
    let begun = false;
    return this.#transaction(
      door,
      (tx, client) => {
        begun = true;
        return runJoint(tx, client, door, work);
      },
      'stepwise',
      () => !begun,
    );
  }

  /**
   * A transaction that costs one trip to the server: `send` hands over all statements at once, without waiting for an answer, and
   * COMMIT leaves behind them. A statement that fails undoes all. Whatever cuts the connection leaves an {@link UnknownOutcome}.
   */
  inOneTrip<T>(service: Service, send: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#transaction(serviceDoor(service), send, 'single');
  }

  /** Runs after a commit of this process that appended events, before its caller goes on: a node sees its own writes. */
  onCommit(listener: (events: readonly Event[]) => Promise<void>): void {
    this.#onCommit.push(listener);
  }

  /** Closes all connections after the running transactions; one that hangs on a dead connection is not waited for. */
  async close(): Promise<void> {
    await Promise.race([this.#pool.end(), new Promise((resolve) => setTimeout(resolve, closeMs).unref())]);
  }

  #open<T>(door: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    const joint = currentJoint();
    return joint === undefined ? this.#transaction(door, work) : joint.join(door, work);
  }

  async #transaction<T>(
    prepare: string,
    work: Work<T>,
    trip: Trip = 'eager',
    mayRepeat: () => boolean = () => true,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(prepare, work, trip);
      } catch (error) {
        if (isAway(error)) this.#reachable = false;
        if (!isTransient(error) || attempt === 3 || !mayRepeat()) {
          throw isAway(error)
            ? new Problem(problems.unavailable, {
                detail: 'The database cannot be reached.',
                headers: { 'retry-after': '2' },
                cause: error,
              })
            : error;
        }
        await new Promise((resolve) => setTimeout(resolve, 20 * attempt));
      }
    }
  }

  async #attempt<T>(prepare: string, work: Work<T>, trip: Trip): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    let committing = false;
    let events: readonly Event[] = [];
    const tx = transactionOf(client, prepare);
    const commit = async () => {
      committing = true;
      return (await client.query('COMMIT')).command;
    };
    try {
      // Where BEGIN fails so does all that was sent behind it: the transaction is spoilt, or the connection is gone.
      const begun = client.query(`BEGIN; ${prepare}`);
      begun.catch(() => undefined);
      if (trip === 'stepwise') await begun;
      const [result, end] =
        trip === 'single'
          ? await corked(client, () => Promise.allSettled([work(tx, client), commit()])).then(bothOf)
          : [await after(begun, work(tx, client)), await commit()];
      // The server's word for a COMMIT of a transaction in which something failed.
      if (end !== 'COMMIT') throw new Error('A statement failed whose error was not passed on: nothing is committed.');
      this.#reachable = true;
      this.#lastAnswerAt = performance.now();
      events = appendedIn(tx);
      return result;
    } catch (error) {
      if (committing && isAway(error)) {
        broken = error as Error;
        throw new UnknownOutcome(error);
      }
      if (isAway(error)) broken = error as Error;
      else await client.query('ROLLBACK').catch(onError);
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
      if (events.length > 0) await Promise.all(this.#onCommit.map((listener) => listener(events)));
    }
  }
}

/** What a transaction does. */
type Work<T> = (tx: Tx, client: pg.PoolClient) => Promise<T>;

/**
 * How a transaction travels: `stepwise` BEGIN is answered before the work begins, `eager` the first statements leave with BEGIN,
 * `single` everything leaves at once, COMMIT included.
 */
type Trip = 'stepwise' | 'eager' | 'single';

/** The work's result; where BEGIN failed that error, which is the cause of the work's. */
async function after<T>(begun: Promise<unknown>, work: Promise<T>): Promise<T> {
  const [first, second] = await Promise.allSettled([begun, work]);
  if (first.status === 'rejected') throw first.reason;
  if (second.status === 'rejected') throw second.reason;
  return second.value;
}

/** Of work and COMMIT: whether the end is known decides first, then what the work says. */
function bothOf<A, B>([work, commit]: [PromiseSettledResult<A>, PromiseSettledResult<B>]): [A, B] {
  if (commit.status === 'rejected') throw commit.reason;
  if (work.status === 'rejected') throw work.reason;
  return [work.value, commit.value];
}

/** What `send` writes at once leaves in one piece. */
function corked<T>(client: pg.PoolClient, send: () => T): T {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}

function tenantDoor(tenantId: string): string {
  return `SET LOCAL ROLE lintel_app; SET LOCAL app.tenant_id = '${requireUuid(tenantId)}'`;
}

function serviceDoor(service: Service): string {
  return `SET LOCAL ROLE lintel_${service}`;
}

function transactionOf(client: pg.PoolClient, door: string): Tx {
  const rows = async <Row>(query: pg.QueryConfig): Promise<Row[]> => {
    const result = await client.query(query);
    return result.rows.map(toRow) as Row[];
  };
  const tx: Tx = {
    query: <Row>(text: string, values: readonly unknown[] = []) => rows<Row>({ text, values: [...values] }),
    maybe: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await rows<Row>({ text, values: [...values] }))[0],
    one: async <Row>(text: string, values: readonly unknown[] = []) => {
      const [row] = await rows<Row>({ text, values: [...values] });
      if (row === undefined) throw new Error('A row was expected and none came.');
      return row;
    },
    execute: async (text, values = []) => (await client.query({ text, values: [...values] })).rowCount ?? 0,
    prepared: <Row>(name: string, text: string, values: readonly unknown[]) =>
      rows<Row>({ name, text, values: [...values] }),
    executePrepared: async (name, text, values) =>
      (await client.query({ name, text, values: [...values] })).rowCount ?? 0,
    asService: async (service, work) => {
      const before = (await client.query("SELECT current_setting('role') AS role")).rows[0].role as string;
      await client.query(serviceDoor(service));
      const back = () => client.query(/^lintel_[a-z_]+$/.test(before) ? `SET LOCAL ROLE ${before}` : door);
      try {
        const result = await work(tx);
        await back();
        return result;
      } catch (error) {
        // Refused where the transaction is spoilt; then its end undoes the role.
        await back().catch(() => undefined);
        throw error;
      }
    },
  };
  return tx;
}
