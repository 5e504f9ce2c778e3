import { AsyncLocalStorage } from 'node:async_hooks';
import type pg from 'pg';

import type { Tx } from '#kernel/database';

const current = new AsyncLocalStorage<Joint>();

/** The joint transaction that the present work is part of, unless it is over. */
export function currentJoint(): Joint | undefined {
  const joint = current.getStore();
  return joint?.over ? undefined : joint;
}

/** Runs work as a joint transaction on a connection whose transaction is open. Ends after the turns that the work left waiting. */
export async function runJoint<T>(
  tx: Tx,
  client: pg.PoolClient,
  door: string,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const joint = new Joint(tx, client);
  try {
    return await current.run(joint, () => work(joint.guarded(door)));
  } finally {
    await joint.end();
  }
}

/**
 * One transaction that a whole request shares: the doors opened inside join it in turns, each in its own role. When it is over it
 * takes in no more, so that what a request left running can never speak on a connection that is another's by then.
 */
class Joint {
  readonly #tx: Tx;
  readonly #client: pg.PoolClient;
  #tail: Promise<unknown> = Promise.resolve();
  over = false;

  constructor(tx: Tx, client: pg.PoolClient) {
    this.#tx = tx;
    this.#client = client;
  }

  /** Takes in no more; resolves when the turns that wait have ended. */
  async end(): Promise<void> {
    this.over = true;
    await this.#tail;
  }

  /** Opens a door inside: in a savepoint, so that a refused statement (a unique conflict the caller handles) does not spoil the whole. */
  join<T>(door: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      await this.#client.query(door);
      await this.#client.query('SAVEPOINT inner_door');
      try {
        const result = await current.exit(() => work(this.#tx));
        await this.#client.query('RELEASE SAVEPOINT inner_door');
        return result;
      } catch (error) {
        await this.#client.query('ROLLBACK TO SAVEPOINT inner_door');
        throw error;
      }
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.over) return Promise.reject(new Error('The joint transaction is over.'));
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  /** The transaction as its own work sees it: each statement first goes back through its own door. */
  guarded(door: string): Tx {
    const through =
      <A extends unknown[], T>(run: (...args: A) => Promise<T>) =>
      (...args: A) =>
        this.#inTurn(async () => {
          await this.#client.query(door);
          return current.exit(() => run(...args));
        });
    const tx = this.#tx;
    return {
      query: through(tx.query) as Tx['query'],
      maybe: through(tx.maybe) as Tx['maybe'],
      one: through(tx.one) as Tx['one'],
      execute: through(tx.execute),
      prepared: through(tx.prepared) as Tx['prepared'],
      run: through(tx.run),
      commitWith: through(tx.commitWith) as Tx['commitWith'],
      asService: through(tx.asService) as Tx['asService'],
    };
  }
}
