import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { isCurrency } from '#kernel/money';
import { type Page, pageOf } from '#kernel/pages';
import { invalidInput, notFound, Problem } from '#kernel/problem';

import { routerModel } from './built-in-router.ts';
import { defaultBytesPerToken } from './estimate-tokens.ts';
import { providerOf } from './model-manager.ts';
import { presets } from './presets.ts';
import { modelProblems } from './problems.ts';
import { unitPricesOf } from './registry.ts';
import * as store from './store.ts';
import type { ModelKind, PricedQuantity, UnitPrices } from './types.ts';

/** What may change of a model. */
export type ModelChange = {
  kind?: ModelKind;
  contextTokens?: number | null;
  maxOutputTokens?: number | null;
  maxImageTokens?: number | null;
  maxAudioTokens?: number | null;
  cheap?: boolean;
  fallbacks?: string[];
};

/** What makes a model. */
export type NewModel = ModelChange & { name: string };

/** A dated entry of the price book: decimal strings per single token or request. `validFrom` absent: from now on. */
export type NewPrice = { currency: string; validFrom?: string; prices: Partial<Record<PricedQuantity, string>> };

/** Keeps the models of providers and the dated book of what they cost. */
export class ModelCatalogue {
  readonly #deps: { db: Pick<Doors, 'forTenant'>; clock: Pick<Clock, 'now'> };

  constructor(deps: { db: Pick<Doors, 'forTenant'>; clock: Pick<Clock, 'now'> }) {
    this.#deps = deps;
  }

  /** A page of a provider's models, oldest first. */
  async listModels(
    tenantId: string,
    providerId: string,
    after: string | undefined,
    limit: number,
  ): Promise<Page<store.ModelRow>> {
    return this.#deps.db.forTenant(tenantId, async (tx) => {
      await providerOf(tx, tenantId, providerId);
      const rows = await store.listModels(tx, tenantId, providerId, after, limit + 1);
      return pageOf(rows, limit, (row) => [row.id]);
    });
  }

  /** Adds a model; sizes that a preset knows are filled in. */
  async createModel(tenantId: string, providerId: string, input: NewModel, cause: Cause): Promise<store.ModelRow> {
    const { name, ...change } = input;
    checkFallbacks(change.fallbacks);
    return this.#deps.db.forTenant(tenantId, async (tx) => {
      const provider = await providerOf(tx, tenantId, providerId, true);
      const known = presets[provider.preset].models.find((each) => each.name === name);
      const row: store.ModelRow = {
        tenantId,
        id: newId(),
        providerId,
        name,
        kind: known?.kind ?? 'chat',
        contextTokens: known?.contextTokens ?? null,
        maxOutputTokens: known?.maxOutputTokens ?? null,
        maxImageTokens: null,
        maxAudioTokens: null,
        cheap: false,
        fallbacks: [],
        bytesPerToken: defaultBytesPerToken,
        createdAt: this.#deps.clock.now().round('millisecond').toString(),
        ...change,
      };
      if (!(await store.insertModel(tx, row)))
        throw new Problem(modelProblems.nameTaken, {
          detail: `The provider has a model "${name}" already.`,
          errors: [{ pointer: '/name', detail: 'is taken' }],
        });
      await this.#tellModel(tx, 'models.model.created', row, cause, { after: row });
      return row;
    });
  }

  /** Changes a model. */
  async updateModel(
    tenantId: string,
    providerId: string,
    id: string,
    change: ModelChange,
    cause: Cause,
  ): Promise<store.ModelRow> {
    checkFallbacks(change.fallbacks);
    return this.#deps.db.forTenant(tenantId, async (tx) => {
      const before = await modelOf(tx, tenantId, providerId, id, true);
      const after: store.ModelRow = { ...before, ...change };
      await store.updateModel(tx, after);
      await this.#tellModel(tx, 'models.model.updated', after, cause, { before, after });
      return after;
    });
  }

  /** Removes a model with its prices. */
  async deleteModel(tenantId: string, providerId: string, id: string, cause: Cause): Promise<void> {
    await this.#deps.db.forTenant(tenantId, async (tx) => {
      const before = await modelOf(tx, tenantId, providerId, id, true);
      await store.deleteModel(tx, tenantId, id);
      await this.#tellModel(tx, 'models.model.deleted', before, cause, { before });
    });
  }

  /** The price book of a model, latest first. */
  async listPrices(tenantId: string, providerId: string, id: string): Promise<UnitPrices[]> {
    return this.#deps.db.forTenant(tenantId, async (tx) => {
      await modelOf(tx, tenantId, providerId, id);
      return (await store.listPrices(tx, tenantId, id)).map(unitPricesOf);
    });
  }

  /** Enters what the provider charges from an instant on; an entry of the same instant is replaced. Calls already made keep their cost. */
  async setPrice(tenantId: string, providerId: string, id: string, input: NewPrice, cause: Cause): Promise<UnitPrices> {
    if (!isCurrency(input.currency)) throw invalidInput('/currency', 'is not an ISO 4217 code');
    if (Object.keys(input.prices).length === 0) throw invalidInput('/prices', 'names at least one price');
    const validFrom = this.#instantOf(input.validFrom);
    return this.#deps.db.forTenant(tenantId, async (tx) => {
      const model = await modelOf(tx, tenantId, providerId, id, true);
      await store.putPrice(tx, { tenantId, modelId: id, validFrom, currency: input.currency }, input.prices);
      const entry = { currency: input.currency, validFrom, prices: input.prices };
      await this.#tellModel(tx, 'models.price.set', model, cause, { after: entry });
      return entry;
    });
  }

  #instantOf(text: string | undefined): string {
    if (text === undefined) return this.#deps.clock.now().round('millisecond').toString();
    const wrong = invalidInput('/validFrom', 'takes an ISO 8601 instant of this century, such as 2026-12-01T00:00:00Z');
    try {
      const instant = Temporal.Instant.from(text);
      const { year } = instant.toZonedDateTimeISO('UTC');
      if (year < 2000 || year > 2099) throw wrong;
      return instant.round('millisecond').toString();
    } catch {
      throw wrong;
    }
  }

  async #tellModel(tx: Tx, type: string, row: store.ModelRow, cause: Cause, data: Record<string, unknown>) {
    await append(
      tx,
      {
        tenantId: row.tenantId,
        type,
        ...becauseOf(cause),
        subject: { kind: 'model', id: row.id, name: row.name },
        data: { ...data, providerId: row.providerId },
      },
      this.#deps.clock.now(),
    );
  }
}

async function modelOf(tx: Tx, tenantId: string, providerId: string, id: string, lock = false) {
  const row = await store.findModel(tx, tenantId, providerId, id, lock);
  if (row === undefined) throw notFound('model');
  return row;
}

function checkFallbacks(fallbacks: readonly string[] | undefined): void {
  fallbacks?.forEach((id, i) => {
    if (!/^[a-z0-9][a-z0-9-]*\/.+$/.test(id) || id === routerModel)
      throw invalidInput(`/fallbacks/${i}`, 'takes "provider/model"');
  });
}
