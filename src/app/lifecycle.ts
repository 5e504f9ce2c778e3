import type { FastifyInstance } from 'fastify';

import type { Database } from '#kernel/database';
import type { LogFollower } from '#kernel/follower';
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
  sealer: Sealer;
  relay: Relay;
  follower: LogFollower;
  snapshots: Snapshots;
  node: NodeKeeper;
  modules: readonly Module[];
  subscribers: SubscriberRunner;
  server: FastifyInstance | undefined;
  /** Closes what has no part of its own here: connections outwards. */
  closeOutside: () => Promise<void>;
};

/** Starts and ends a process: what decisions need is loaded before a call is taken, and nothing ends while a call needs it. */
export class Lifecycle {
  readonly #parts: LivingParts;
  readonly #stops: (() => Promise<void>)[] = [];
  #draining = false;

  constructor(parts: LivingParts) {
    this.#parts = parts;
  }

  /** Whether the process is on its way out. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Loads what decisions need and starts what runs beside requests. */
  async start(): Promise<void> {
    const { role, db, sealer, relay, follower, snapshots, node, modules, subscribers } = this.#parts;
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
      follower.listen(() => subscribers.wake());
      this.#stops.push(() => subscribers.stop());
    }
  }

  /** Takes no more calls, lets those under way end, and closes everything in reverse order. */
  async close(): Promise<void> {
    this.#draining = true;
    for (const module of this.#parts.modules) module.drain?.();
    await this.#parts.server?.close();
    for (const stop of this.#stops.splice(0).reverse()) await stop();
    await this.#parts.closeOutside();
    await this.#parts.db.close();
  }
}
