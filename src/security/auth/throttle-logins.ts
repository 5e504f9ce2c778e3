import { addressGroup } from '#kernel/addresses';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { Problem } from '#kernel/problem';
import type { Sealer } from '#kernel/seal';

import { problems } from './problems.ts';
import { clearFailures, countAttempt, forgiveAttempt, purgeThrottles } from './throttle-store.ts';

/** Failures of a day that cost nothing; from then on each costs a wait that doubles, up to a quarter of an hour. */
const free = { pair: 10, account: 100, address: 100 } as const;

/** The most that an attempt waits, seconds. */
const longestWaitSeconds = 900;

/**
 * Slows guessing down: per account and address together (10 failures free), per account from anywhere (100: the bound of NIST
 * SP 800-63B-4 §3.2.2) and per address (100, whatever the account; an IPv6 address counts by its /64). Counted before the password is looked
 * at and in one statement, so parallel guesses count too; kept in PostgreSQL, so all nodes count together.
 */
export class LoginThrottle {
  readonly #db: Pick<Doors, 'forService'>;
  readonly #clock: Clock;
  readonly #sealer: Sealer;

  constructor(deps: { db: Pick<Doors, 'forService'>; clock: Clock; sealer: Sealer }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#sealer = deps.sealer;
  }

  /**
   * Counts an attempt; 429 with Retry-After while one of its counters makes it wait. Then none counts it: it has guessed nothing, and
   * whoever is made to wait at one address must not shut an account for everybody else.
   */
  async take(account: string, ip: string, email = account): Promise<void> {
    const now = this.#clock.now();
    await this.#db.forService('directory', async (tx) => {
      const ends: string[] = [];
      for (const [kind, key] of this.#keys(account, ip)) {
        const blockedUntil = await countAttempt(tx, key, free[kind], longestWaitSeconds, now.toString());
        if (blockedUntil !== undefined) ends.push(blockedUntil);
      }
      if (ends.length === 0) return;
      const until = Math.max(...ends.map((end) => Date.parse(end)));
      const seconds = Math.max(1, Math.ceil((until - now.epochMilliseconds) / 1000));
      throw new Problem(problems.signInThrottled, {
        detail: `Try again in ${seconds} s.`,
        headers: { 'retry-after': String(seconds) },
        account: { email },
      });
    });
  }

  /**
   * Forgets the failures of an account after it signed in. The address is forgiven this one attempt alone, or one good account
   * would free a guesser; so is the e-mail address unless the password fits all accounts behind it (`whole`): somebody else may
   * have made one of them to free themselves.
   */
  async succeeded(account: string, ip: string, whole: boolean): Promise<void> {
    await this.#db.forService('directory', async (tx) => {
      for (const [kind, key] of this.#keys(account, ip)) {
        if (kind === 'address' || !whole) await forgiveAttempt(tx, key);
        else await clearFailures(tx, key);
      }
    });
  }

  /** Deletes counters that have been still for two days. */
  purge(tx: Tx): Promise<number> {
    return purgeThrottles(tx, this.#clock.now().subtract({ hours: 48 }).toString());
  }

  // Always in one order, so that two attempts cannot wait for each other's rows in a ring.
  #keys(account: string, ip: string): [keyof typeof free, string][] {
    const address = addressGroup(ip);
    const named: [keyof typeof free, string][] = [
      ['pair', `${account} ${address}`],
      ['account', account],
      ['address', address],
    ];
    return named.map(([kind, value]) => [kind, this.#sealer.hmac('login-throttle', `${kind} ${value}`)]);
  }
}
