import type { FastifyInstance } from 'fastify';

import type { Database } from '#kernel/database';
import type { Drain } from '#kernel/drain';
import type { LogFollower } from '#kernel/follower';
import { startHousekeeping } from '#kernel/housekeeping';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import type { NodeKeeper } from '#kernel/node';
import type { Relay } from '#kernel/relay';
import type { Sealer } from '#kernel/seal';
import type { Snapshots } from '#kernel/snapshot';
import type { SubscriberRunner } from '#kernel/subscribers';
import { checkRootSecret } from './installation.ts';
import type { AppOptions } from './options.ts';

/** The parts of a process that have a beginning and an end. */
export type LivingParts = {
  role: AppOptions['role'];
  db: Database;
  log: Logger;
  sealer: Sealer;
  relay: Relay;
  follower: LogFollower;
  snapshots: Snapshots;
  node: NodeKeeper;
  modules: readonly Module[];
  subscribers: SubscriberRunner;
  server: FastifyInstance;
  drain: Drain;
  /** Milliseconds that the end waits for calls under way. */
  drainMs: number;
  /** Closes what has no part of its own here: connections outwards. */
  closeOutside: () => Promise<void>;
};

/** How long runs of agents that are handed over may take to let go, before the connections of all calls are cut; milliseconds. */
const handOverMs = 1_000;

/** Starts and ends a process: what decisions need is loaded before a call is taken, and nothing ends while a call needs it. */
export class Lifecycle {
  readonly #parts: LivingParts;
  readonly #stops: (() => Promise<void>)[] = [];
  #closing: Promise<void> | undefined;
  #hurry: NodeJS.Timeout | undefined;
  #serves = false;

  constructor(parts: LivingParts) {
    this.#parts = parts;
    parts.server.addHook('onReady', (done) => {
      this.#serves = true;
      done();
    });
  }

  /** Whether the process is on its way out. */
  get draining(): boolean {
    return this.#closing !== undefined;
  }

  /** Loads what decisions need and starts what runs beside requests. */
  async start(): Promise<void> {
    const { role, db, log, sealer, relay, follower, snapshots, node, modules, subscribers } = this.#parts;
    const works = role === 'background' || role === 'both';
    await checkRootSecret(db, sealer);
    if (works) {
      relay.start();
      this.#stops.push(() => relay.stop());
    }
    await follower.start();
    this.#stops.push(() => follower.stop());
    follower.listen((events) => snapshots.apply(events));
    db.onCommit((events) => snapshots.apply(events));
    await snapshots.loadAll();
    if (role === 'setup') return;
    await node.start();
    this.#stops.push(() => node.stop());
    const roles = role === 'both' ? (['background', 'front'] as const) : [role];
    for (const module of modules) {
      for (const each of roles) {
        const stop = await module.start?.(each);
        if (stop !== undefined) this.#stops.push(stop);
        // A module that does not tell the roles apart is started once.
        if (module.start?.length === 0) break;
      }
    }
    if (works) {
      subscribers.start();
      follower.listen((events) => subscribers.wake(events));
      this.#stops.push(() => subscribers.stop(), startHousekeeping({ db, log }));
    }
  }

  /**
   * Takes no more calls, lets those under way end, and closes everything in reverse order. New ones get 503 meanwhile, save what calls
   * under way ask of the house themselves. Calls that outlast the limit end as {@link hurry} says.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Waits no longer: foreground runs are handed to background, every other call is cut as if its client had gone, with what it used so
   * far settled and its row written. To be called after {@link close}.
   */
  hurry(): void {
    if (this.#hurry !== undefined) return;
    for (const module of this.#parts.modules) module.hurry?.();
    this.#hurry = setTimeout(() => this.#parts.server.server.closeAllConnections(), handOverMs);
  }

  async #close(): Promise<void> {
    const { modules, drain, drainMs, server, closeOutside, db } = this.#parts;
    for (const module of modules) module.drain?.();
    drain.begin();
    const limit = setTimeout(() => this.hurry(), drainMs);
    await drain.idle();
    for (const stop of this.#stops.splice(0).reverse()) await stop();
    // Last: until here there is somebody to answer 503, and runs may still ask the house's own API. A server that nobody made ready
    // has nothing to close, and would compile every route first.
    if (this.#serves) await server.close();
    clearTimeout(limit);
    clearTimeout(this.#hurry);
    await closeOutside();
    await db.close();
  }
}
