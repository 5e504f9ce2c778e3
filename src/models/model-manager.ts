import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { invalidInput, notFound, Problem } from '#kernel/problem';
import type { Sealer } from '#kernel/seal';
import { platformTenantId } from '#tenancy';

import { checkBaseUrl } from './check-base-url.ts';
import { presets } from './presets.ts';
import { modelProblems } from './problems.ts';
import { keyPlace } from './registry.ts';
import * as store from './store.ts';
import type { PresetName } from './types.ts';

/** What makes a provider. */
export type NewProvider = {
  preset: PresetName;
  /** Slug: the first part of `provider/model`. The preset's own name when absent. */
  name?: string;
  baseUrl?: string;
  apiKey?: string;
  /** Operators only: the environment variable that holds the key. */
  apiKeyVariable?: string;
  sharedWith?: string[] | null;
};

/** What may change of a provider. `apiKey` null takes the key away. */
export type ProviderChange = {
  baseUrl?: string;
  apiKey?: string | null;
  status?: 'active' | 'disabled';
  sharedWith?: string[] | null;
};

type Deps = {
  db: Pick<Doors, 'forTenant'>;
  clock: Pick<Clock, 'now'>;
  sealer: Pick<Sealer, 'seal'>;
  /** Throws 400 for an address that the owner's calls could not go to. */
  checkAddress: (tenantId: string, baseUrl: string) => Promise<void>;
  environment: Readonly<Record<string, string | undefined>>;
};

/** Keeps providers, their models and what they charge: a tenant's under its id, the platform's under the platform tenant's. */
export class ModelManager {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** A page of an owner's providers, oldest first. */
  async listProviders(tenantId: string, after: string | undefined, limit: number): Promise<Page<store.ProviderRow>> {
    const rows = await this.#deps.db.forTenant(tenantId, (tx) => store.listProviders(tx, tenantId, after, limit + 1));
    return pageOf(rows, limit, (row) => [row.id]);
  }

  /** One provider; 404. */
  async getProvider(tenantId: string, id: string): Promise<store.ProviderRow> {
    return this.#deps.db.forTenant(tenantId, (tx) => providerOf(tx, tenantId, id));
  }

  /** Connects a provider. 409 when the owner has one of that name. */
  async createProvider(tenantId: string, input: NewProvider, cause: Cause): Promise<store.ProviderRow> {
    const preset = presets[input.preset];
    const baseUrl = checkBaseUrl(input.baseUrl ?? preset.baseUrl ?? '');
    await this.#deps.checkAddress(tenantId, baseUrl);
    const key = input.apiKey ?? this.#keyFrom(tenantId, input);
    if (key === undefined && preset.auth === 'bearer')
      throw new Problem(modelProblems.keyNeeded, { errors: [{ pointer: '/apiKey', detail: 'is needed' }] });
    const row: store.ProviderRow = {
      tenantId,
      id: newId(),
      name: input.name ?? preset.name,
      preset: preset.name,
      baseUrl,
      keySealed: null,
      keyHint: null,
      status: 'active',
      sharedWith: input.sharedWith ?? null,
      createdAt: this.#deps.clock.now().round('millisecond').toString(),
    };
    if (row.name === 'agent' || row.name === 'lintel') throw invalidInput('/name', 'is reserved');
    if (key !== undefined) this.#seal(row, key);
    await this.#deps.db.forTenant(tenantId, async (tx) => {
      if (!(await store.insertProvider(tx, row)))
        throw new Problem(modelProblems.nameTaken, {
          detail: `There is a provider named "${row.name}" already.`,
          errors: [{ pointer: '/name', detail: 'is taken' }],
        });
      await this.#tellProvider(tx, 'created', row, cause, { after: shown(row) });
    });
    return row;
  }

  /** Changes a provider. A key goes only where it was entered for: a new host needs the key again. */
  async updateProvider(tenantId: string, id: string, change: ProviderChange, cause: Cause): Promise<store.ProviderRow> {
    const baseUrl = change.baseUrl === undefined ? undefined : checkBaseUrl(change.baseUrl);
    if (baseUrl !== undefined) await this.#deps.checkAddress(tenantId, baseUrl);
    return this.#deps.db.forTenant(tenantId, async (tx) => {
      const before = await providerOf(tx, tenantId, id, true);
      const after = { ...before, baseUrl: baseUrl ?? before.baseUrl };
      const moved = new URL(after.baseUrl).origin !== new URL(before.baseUrl).origin;
      if (moved && before.keySealed !== null && change.apiKey === undefined)
        throw invalidInput('/apiKey', 'is needed again when the address moves to another host');
      if (change.apiKey === null) {
        if (presets[before.preset].auth === 'bearer')
          throw new Problem(modelProblems.keyNeeded, { errors: [{ pointer: '/apiKey', detail: 'is needed' }] });
        after.keySealed = null;
        after.keyHint = null;
      } else if (change.apiKey !== undefined) this.#seal(after, change.apiKey);
      if (change.status !== undefined) after.status = change.status;
      if (change.sharedWith !== undefined) after.sharedWith = change.sharedWith;
      await store.updateProvider(tx, after);
      await this.#tellProvider(tx, 'updated', after, cause, {
        before: shown(before),
        after: shown(after),
        keyChanged: change.apiKey !== undefined,
      });
      return after;
    });
  }

  /** Removes a provider with its models and prices. */
  async deleteProvider(tenantId: string, id: string, cause: Cause): Promise<void> {
    await this.#deps.db.forTenant(tenantId, async (tx) => {
      const before = await providerOf(tx, tenantId, id, true);
      await store.deleteProvider(tx, tenantId, id);
      await this.#tellProvider(tx, 'deleted', before, cause, { before: shown(before) });
    });
  }

  #seal(row: store.ProviderRow, key: string): void {
    row.keySealed = this.#deps.sealer.seal(key, keyPlace(row));
    row.keyHint = key.length >= 12 ? key.slice(-4) : '';
  }

  #keyFrom(tenantId: string, input: NewProvider): string | undefined {
    if (input.apiKeyVariable === undefined) return undefined;
    // Only names that presets publish: the environment holds other secrets.
    const named = presets[input.preset].keyVariables.includes(input.apiKeyVariable);
    const key = named && tenantId === platformTenantId ? this.#deps.environment[input.apiKeyVariable] : undefined;
    if (key === undefined || key === '') throw invalidInput('/apiKeyVariable', 'names no key of this preset');
    return key;
  }

  async #tellProvider(tx: Tx, verb: string, row: store.ProviderRow, cause: Cause, data: Record<string, unknown>) {
    const subject = { kind: 'provider', id: row.id, name: row.name };
    const type = `models.provider.${verb}`;
    await append(tx, { tenantId: row.tenantId, type, ...becauseOf(cause), subject, data }, this.#deps.clock.now());
  }
}

/** A provider of an owner; 404. `lock`: until the transaction ends. */
export async function providerOf(tx: Tx, tenantId: string, id: string, lock = false): Promise<store.ProviderRow> {
  const row = await store.findProvider(tx, tenantId, id, lock);
  if (row === undefined) throw notFound('provider');
  return row;
}

/** What events keep of a provider: never the key, sealed or not. */
function shown({ keySealed: _sealed, ...row }: store.ProviderRow): Omit<store.ProviderRow, 'keySealed'> {
  return row;
}
