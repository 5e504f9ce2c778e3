import type { ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';

/** The message that asks a process of Lintel to finish what it holds and end. */
const drainMessage = { type: 'drain' } as const;

/** The message that asks a process that drains to end with what it has so far. */
const hurryMessage = { type: 'hurry' } as const;

/** What made a process stop: the drain message, the loss of the process that started it, or a signal. */
export type StopReason = 'drain' | 'parent-gone' | 'SIGTERM' | 'SIGINT' | 'SIGHUP';

/** One kind of child: how it is started, and how long it may take to drain. */
export interface ChildSpec {
  name: string;
  /** Spawns the child with an IPC channel (`fork`, `cluster.fork().process`); called again for each restart. */
  start: () => ChildProcess;
  /** Milliseconds between the drain message and SIGTERM; the child's own limit must be below. */
  drainMs: number;
}

/** A child that is kept running until it is drained. */
export interface SupervisedChild {
  readonly name: string;
  /** The process of this moment; `undefined` between two lives and after the end. */
  readonly process: ChildProcess | undefined;
  /** Ends the child for good: drain message, then SIGTERM after `drainMs`, then SIGKILL. Resolves when it has ended. */
  drain(): Promise<void>;
  /** Ends it with what it has so far; one that is not drained yet will end so. */
  hurry(): void;
}

/** What a {@link Supervisor} needs: where to tell of deaths, and the back-off in milliseconds between lives. */
export interface SupervisorDeps {
  log: { info(message: string): void; warn(message: string): void };
  backOff?: Partial<BackOffOptions>;
}

/** A delay sequence 0, `firstMs`, 2 × `firstMs`, … `maxMs`; back to 0 after a life of `healthyMs`. */
export interface BackOffOptions {
  firstMs: number;
  maxMs: number;
  healthyMs: number;
}

/** Counts short lives and says how many milliseconds to wait before the next one; the first restart is immediate. */
export class BackOff {
  readonly #options: BackOffOptions;
  #shortLives = 0;

  constructor(options: Partial<BackOffOptions> = {}) {
    this.#options = { firstMs: 200, maxMs: 10_000, healthyMs: 30_000, ...options };
  }

  /** How many lives in a row were shorter than `healthyMs`. */
  get shortLives(): number {
    return this.#shortLives;
  }

  /** @param livedMs how long the life that has just ended lasted, by a monotonic clock. */
  nextDelay(livedMs: number): number {
    if (livedMs >= this.#options.healthyMs) this.#shortLives = 0;
    const delay = this.#shortLives === 0 ? 0 : this.#options.firstMs * 2 ** (this.#shortLives - 1);
    this.#shortLives += 1;
    return Math.min(delay, this.#options.maxMs);
  }
}

/**
 * Keeps child processes running: a child that ends, for whatever reason, is started again after a back-off. Children see the end of
 * this process by their IPC channel ({@link onStopAsked}), so that none outlives it unsupervised.
 */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #children = new Set<Supervised>();

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
  }

  /** Starts a child now and again after each of its deaths, until it is drained. */
  supervise(spec: ChildSpec): SupervisedChild {
    const child = new Supervised(spec, this.#deps);
    this.#children.add(child);
    return child;
  }

  /** Drains every child at once; those that must go first are drained by their own handle before. */
  async drain(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.drain()));
  }

  /** Waits for no call any more: every child ends with what it has so far, now or as soon as it is drained. */
  hurry(): void {
    for (const child of this.#children) child.hurry();
  }
}

/**
 * Calls `stop` once, at the first request to end: drain message, loss of the parent (its IPC channel closes, even by SIGKILL), or
 * SIGTERM. As `program` SIGINT and SIGHUP are requests too; as `child` all three signals are ignored as long as the program is there,
 * because a terminal (or systemd, SIGTERM) sends them to the whole process group, and it is the program that drains its children in order.
 *
 * Calls `hurry` when whoever asked cannot wait: at the hurry message, or at a SIGTERM or SIGINT half a second or more after the first
 * request (what comes sooner is the same Ctrl-C by another way: terminal, npm and launcher each pass it on).
 */
export function onStopAsked(
  role: 'program' | 'child',
  stop: (reason: StopReason) => void,
  hurry: () => void = () => undefined,
): void {
  let asked: number | undefined;
  const ask = (reason: StopReason) => {
    if (asked !== undefined) {
      const insists = (reason === 'SIGTERM' || reason === 'SIGINT') && performance.now() - asked >= sameRequestMs;
      return insists ? hurry() : undefined;
    }
    asked = performance.now();
    process.channel?.unref();
    stop(reason);
  };
  process.on('SIGTERM', () => (role === 'program' || asked !== undefined || !process.connected) && ask('SIGTERM'));
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => role === 'program' && ask(signal));
  if (process.send === undefined) return;
  const parentGone = () => {
    // A cluster worker that lost its primary is ended by Node at once, calls and all, unless it looks as if it had asked to leave.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
    ask('parent-gone');
  };
  if (!process.connected) queueMicrotask(parentGone);
  else if (cluster.worker) cluster.worker.once('disconnect', parentGone);
  else process.once('disconnect', parentGone);
  process.on('message', (message) => {
    if (typeof message !== 'object' || message === null || !('type' in message)) return;
    if (message.type === drainMessage.type) ask('drain');
    if (message.type === hurryMessage.type && asked !== undefined) hurry();
  });
}

const sameRequestMs = 500;
/** What a hurried child has to settle its calls and write their rows, and one sent SIGTERM. */
const hurryMs = 10_000;
const termMs = 5_000;

class Supervised implements SupervisedChild {
  readonly #spec: ChildSpec;
  readonly #log: SupervisorDeps['log'];
  readonly #backOff: BackOff;
  readonly #stopping = new AbortController();
  readonly #hurried = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;
  #process: ChildProcess | undefined;

  constructor(spec: ChildSpec, deps: SupervisorDeps) {
    this.#spec = spec;
    this.#log = deps.log;
    this.#backOff = new BackOff(deps.backOff);
    this.#ended = this.#live();
  }

  get name(): string {
    return this.#spec.name;
  }

  get process(): ChildProcess | undefined {
    return this.#process;
  }

  async drain(): Promise<void> {
    this.#stopping.abort();
    const child = this.#process;
    if (child?.connected) child.send(drainMessage, () => {});
    else child?.kill('SIGTERM');
    const hurried = this.#hurried.promise.then(() => {
      if (child?.connected) child.send(hurryMessage, () => {});
      return this.#endsWithin(hurryMs);
    });
    if (await Promise.race([this.#endsWithin(this.#spec.drainMs), hurried])) return;
    this.#log.warn(`${this.name}: has not drained, sending SIGTERM`);
    child?.kill('SIGTERM');
    if (await this.#endsWithin(termMs)) return;
    this.#log.warn(`${this.name}: did not end on SIGTERM, sending SIGKILL`);
    child?.kill('SIGKILL');
    await this.#ended;
  }

  hurry(): void {
    this.#hurried.resolve();
  }

  async #live(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const started = performance.now();
      const how = await this.#oneLife();
      if (this.#stopping.signal.aborted) return;
      const delay = this.#backOff.nextDelay(performance.now() - started);
      this.#log.warn(`${this.name}: ended (${how}), next start in ${delay} ms`);
      await sleep(delay, undefined, { signal: this.#stopping.signal }).catch(() => {});
    }
  }

  /** Resolves with how the life ended; a spawn that fails is a life too. */
  #oneLife(): Promise<string> {
    return new Promise((resolve) => {
      const end = (how: string) => {
        this.#process = undefined;
        resolve(how);
      };
      try {
        this.#process = this.#spec.start();
      } catch (error) {
        return end(String(error));
      }
      const child = this.#process;
      child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      // Also emitted for a kill or send that fails while the child lives; only a child without a pid was never born.
      child.on('error', (error) => child.pid === undefined && end(error.message));
    });
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const timer = new AbortController();
    const ended = this.#ended.then(() => true);
    const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
    return Promise.race([ended, late]).finally(() => timer.abort());
  }
}
