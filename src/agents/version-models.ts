import type { Doors } from '#kernel/database';
import { readModels } from './store.ts';

/** A version of an agent. */
export type VersionRef = { readonly agentId: string; readonly version: number };

/** Beyond so many all are read anew. */
const most = 20_000;

/** The models that versions of agents ask: versions never change, so each is read once. */
export class VersionModels {
  readonly #db: Pick<Doors, 'forTenant'>;
  readonly #known = new Map<string, string | null>();

  constructor(db: Pick<Doors, 'forTenant'>) {
    this.#db = db;
  }

  /** Models in the order of the versions; null: one that runs elsewhere. Those not in memory are read in one go. */
  async modelsOf(tenantId: string, versions: readonly VersionRef[]): Promise<(string | null)[]> {
    const keyOf = ({ agentId, version }: VersionRef) => `${tenantId}/${agentId}/${version}`;
    const found = new Map(versions.map((version) => [keyOf(version), this.#known.get(keyOf(version))]));
    const unknown = versions.filter((version) => found.get(keyOf(version)) === undefined);
    if (unknown.length > 0) {
      const read = await this.#db.forTenant(tenantId, (tx) => readModels(tx, tenantId, unknown));
      if (this.#known.size > most) this.#known.clear();
      for (const [i, version] of unknown.entries())
        for (const models of [found, this.#known]) models.set(keyOf(version), read[i] ?? null);
    }
    return versions.map((version) => found.get(keyOf(version)) ?? null);
  }
}
