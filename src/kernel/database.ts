import pg from 'pg';

import type { Connector } from '#kernel/database-connector';
import { isAway, isTransient, UnknownOutcome } from '#kernel/database-faults';
import { corked, serviceDoor, tenantDoor, transactionOf } from '#kernel/database-transaction';
import { joinStatements } from '#kernel/join-statements';
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
  run(statement: Statement): Promise<number>;
  /**
   * The end of the transaction: a statement that leaves together with COMMIT, so that the rows it locks are not held for as long as
   * this process takes to come back to them. Resolves when both are answered; nothing may follow. Its values are no objects.
   */
  commitWith<Row = Record<string, unknown>>(statement: Statement): Promise<Row[]>;
  /** Goes on as a service in the same transaction: for a row that lives beside the tenant's (a directory entry). */
  asService<T>(service: Service, work: (tx: Tx) => Promise<T>): Promise<T>;
};

/** A named prepared statement with its parameters, ready to be sent. */
export type Statement = { readonly name: string; readonly text: string; readonly values: readonly unknown[] };

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
  inOneTrip(service: Service, statements: readonly Statement[]): Promise<void>;
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
    const whole: Work<T> = (tx, client) => {
      begun = true;
      return runJoint(tx, client, door, work);
    };
    return this.#withRetries(
      () => this.#attempt(door, whole, true),
      () => !begun,
    );
  }

  /**
   * A transaction that costs one trip to the server: statements that change rows leave as one ({@link joinStatements}) with COMMIT
   * behind it, and one that fails undoes all. They come whole, with their parameters, so that none can be refused here when the
   * others are on their way. Whatever cuts the connection leaves an {@link UnknownOutcome}.
   */
  inOneTrip(service: Service, statements: readonly Statement[]): Promise<void> {
    return this.#withRetries(async () => {
      await this.#connected(async (client) => {
        const { name, text, values } = joinStatements(statements);
        const all = corked(client, () =>
          [`BEGIN; ${serviceDoor(service)}`, { name, text, values: [...values] }, 'COMMIT'].map((each) =>
            client.query(each),
          ),
        );
        const answers = await Promise.allSettled(all);
        const end = answers.at(-1) as PromiseSettledResult<pg.QueryResult>;
        if (end.status === 'rejected' && isAway(end.reason)) throw new UnknownOutcome(end.reason);
        for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
        this.#reached();
      });
    });
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
    return joint === undefined ? this.#withRetries(() => this.#attempt(door, work)) : joint.join(door, work);
  }

  async #withRetries<T>(run: () => Promise<T>, mayRepeat: () => boolean = () => true): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
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

  /** The work of a `joint` transaction begins when BEGIN is answered; else its first statements leave with BEGIN. */
  #attempt<T>(prepare: string, work: Work<T>, joint = false): Promise<T> {
    return this.#connected(async (client) => {
      const { open, begun, done } = corked(client, () => {
        // Where BEGIN fails so does all that was sent behind it: the transaction is spoilt, or the connection is gone.
        const begun = client.query(`BEGIN; ${prepare}`);
        begun.catch(() => undefined);
        const open = transactionOf(client, prepare, joint);
        return { open, begun, done: joint ? begun.then(() => work(open.tx, client)) : work(open.tx, client) };
      });
      const result = await after(begun, done);
      await open.commit();
      this.#reached();
      return { result, events: appendedIn(open.tx) };
    }).then(async ({ result, events }) => {
      // One that fails hears of it from the log: the change is made, and its caller must not be told otherwise.
      if (events.length > 0) await Promise.allSettled(this.#onCommit.map((listener) => listener(events)));
      return result;
    });
  }

  /** Runs work on a connection of the pool, which is given back clean or, where it broke, not at all. */
  async #connected<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    try {
      return await work(client);
    } catch (error) {
      if (error instanceof UnknownOutcome || isAway(error)) broken = error as Error;
      else await client.query('ROLLBACK').catch(onError);
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  #reached(): void {
    this.#reachable = true;
    this.#lastAnswerAt = performance.now();
  }
}

/** What a transaction does. */
type Work<T> = (tx: Tx, client: pg.PoolClient) => Promise<T>;

/** The work's result; where BEGIN failed that error, which is the cause of the work's, unless COMMIT was on its way already. */
async function after<T>(begun: Promise<unknown>, work: Promise<T>): Promise<T> {
  const [first, second] = await Promise.allSettled([begun, work]);
  if (second.status === 'rejected' && second.reason instanceof UnknownOutcome) throw second.reason;
  if (first.status === 'rejected') throw first.reason;
  if (second.status === 'rejected') throw second.reason;
  return second.value;
}
