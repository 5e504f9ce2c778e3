import type { Actor } from '#kernel/log';
import type { Snapshot, Snapshots } from '#kernel/snapshot';

import { type AllowList, readAllowList } from './allow-list.ts';
import { type KeyRow, readAllKeys } from './key-store.ts';

/** A key as decisions need it. */
export type HeldKey = {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly mode: 'live' | 'test';
  readonly scopes: readonly string[] | undefined;
  readonly agents: readonly string[] | undefined;
  readonly allowList: AllowList | undefined;
  readonly revoked: boolean;
  /** Milliseconds since the epoch at which it stops: its expiry or the end of its overlap; Infinity for neither. */
  readonly endsAtMs: number;
  readonly createdBy: Actor;
};

/** All keys in memory, found by their hash. Revoked ones stay, so that using one costs no SQL either. */
export class KeyRing {
  readonly #keys: Snapshot<HeldKey>;
  #ids = new Map<string, string>();

  constructor(deps: { snapshots: Pick<Snapshots, 'define'> }) {
    this.#keys = deps.snapshots.define<HeldKey>({
      name: 'api keys',
      on: ['auth.key.', 'tenancy.tenant.deleted'],
      touched: (event) => (event.type === 'tenancy.tenant.deleted' ? 'all' : [event.subject.id]),
      load: async (tx, ids) => {
        const rows = await readAllKeys(tx, ids);
        // A hash never changes its key, so entries of keys that are gone lead nowhere and need no care between full loads.
        if (ids === undefined) this.#ids = new Map(rows.map((row) => [row.hash, row.id]));
        else for (const row of rows) this.#ids.set(row.hash, row.id);
        return rows.map((row) => [row.id, heldOf(row)] as const);
      },
    });
  }

  /** The key of this id. */
  get(id: string): HeldKey | undefined {
    return this.#keys.get(id);
  }

  /** The key with this hash. */
  find(hash: string): HeldKey | undefined {
    const id = this.#ids.get(hash);
    return id === undefined ? undefined : this.#keys.get(id);
  }
}

function heldOf(row: KeyRow): HeldKey {
  const ends = [row.expiresAt, row.overlapUntil].filter((end) => end !== null).map((end) => Date.parse(end));
  return {
    id: row.id,
    tenantId: row.tenantId,
    name: row.name,
    mode: row.mode,
    scopes: row.scopes ?? undefined,
    agents: row.agents ?? undefined,
    allowList: row.allowedIps === null ? undefined : readAllowList(row.allowedIps),
    revoked: row.revokedAt !== null,
    endsAtMs: Math.min(...ends, Number.POSITIVE_INFINITY),
    createdBy: row.createdBy,
  };
}
