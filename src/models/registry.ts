import type { Clock } from '#kernel/clock';
import { formatDecimal, parseDecimal } from '#kernel/money';
import { Problem } from '#kernel/problem';
import type { SealContext, Sealer } from '#kernel/seal';
import type { Snapshot, Snapshots } from '#kernel/snapshot';
import { platformTenantId } from '#tenancy';

import { engineOf, freeOfCharge, routerListing, routerModel, routerTarget } from './built-in-router.ts';
import { TokenDensity } from './estimate-tokens.ts';
import { presets } from './presets.ts';
import { priceAt } from './price-call.ts';
import { modelProblems } from './problems.ts';
import { loadProviders, type ModelRow, type PriceRow, type ProviderRow } from './store.ts';
import { type ListedModel, pricedQuantities, type Target, type UnitPrices } from './types.ts';

type Entry = ProviderRow & { readonly models: readonly (ModelRow & { readonly book: readonly UnitPrices[] })[] };

/** A provider with its targets by the model's name, as one rebuild of the index knows it. */
type Known = { readonly entry: Entry; readonly targets: ReadonlyMap<string, { live: Target; test: Target }> };

/** Where a provider's key is sealed for; bound into the ciphertext. */
export function keyPlace(row: { tenantId: string; id: string }): SealContext {
  return { purpose: 'provider-key', tenantId: row.tenantId, table: 'providers', column: 'key_sealed', row: row.id };
}

/** All providers, models and prices in memory: resolving a model costs no SQL. */
export class Registry {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #sealer: Pick<Sealer, 'open'>;
  readonly #entries: Snapshot<Entry>;
  readonly density = new TokenDensity();
  #version = -1;
  #byTenant = new Map<string, Map<string, Known>>();

  constructor(deps: { snapshots: Pick<Snapshots, 'define'>; clock: Pick<Clock, 'now'>; sealer: Pick<Sealer, 'open'> }) {
    this.#clock = deps.clock;
    this.#sealer = deps.sealer;
    this.#entries = deps.snapshots.define<Entry>({
      name: 'model-providers',
      on: ['models.provider.', 'models.model.', 'models.price.', 'tenancy.tenant.deleted'],
      touched: (event) =>
        event.type === 'tenancy.tenant.deleted'
          ? 'all'
          : [(event.data?.['providerId'] as string | undefined) ?? event.subject.id],
      load: async (tx, keys) => entriesOf(await loadProviders(tx, keys)),
    });
  }

  /** The target behind `provider/model` for a tenant: its own provider of that name hides the platform's. Throws 404 and, for test keys, 403. */
  resolve(tenantId: string, id: string, mode: 'live' | 'test'): Target {
    if (id === routerModel) return routerTarget;
    const slash = id.indexOf('/');
    const slug = id.slice(0, slash);
    const found = slash > 0 ? this.#provider(tenantId, slug)?.targets.get(id.slice(slash + 1)) : undefined;
    if (found === undefined) throw modelNotFound(id);
    if (mode === 'test') {
      if (found.test.cheap) return found.test;
      throw new Problem(modelProblems.modelNotForTestKeys, {
        detail: `Test keys may not use ${id.slice(0, 200)}: only models that the platform marks cheap.`,
        param: 'model',
      });
    }
    return found.live;
  }

  /** Every model that a tenant, or with `test` its test keys, may name; the built-in router first. */
  list(tenantId: string, mode: 'live' | 'test'): ListedModel[] {
    const slugs = new Set([...this.#index(tenantId).keys(), ...this.#index(platformTenantId).keys()]);
    const listed: ListedModel[] = [routerListing];
    for (const slug of [...slugs].sort()) {
      const known = this.#provider(tenantId, slug);
      if (known === undefined) continue;
      for (const model of known.entry.models) {
        const target = known.targets.get(model.name)?.live as Target;
        if (mode === 'test' && !target.cheap) continue;
        listed.push({
          id: target.id,
          kind: target.kind,
          ownedBy: target.ownedBy,
          engine: engineOf(target.id),
          cheap: target.cheap,
          contextTokens: target.contextTokens,
          maxOutputTokens: target.maxOutputTokens,
          created: Math.floor(Date.parse(model.createdAt) / 1000),
        });
      }
    }
    return listed;
  }

  /** The price book entry that held for a target at an instant; undefined when the model has none. */
  pricesAt(target: Pick<Target, 'providerId' | 'modelId'>, at: Temporal.Instant): UnitPrices | undefined {
    if (target.providerId === null) return freeOfCharge;
    const model = this.#entries.get(target.providerId)?.models.find((each) => each.id === target.modelId);
    return model === undefined ? undefined : priceAt(model.book, at.epochMilliseconds);
  }

  /** Observed bytes per token that moved since the last time, with the tenant whose row keeps them. */
  takeObserved(): { tenantId: string; modelId: string; value: number }[] {
    const owners = new Map<string, string>();
    for (const entry of this.#entries.values()) for (const model of entry.models) owners.set(model.id, entry.tenantId);
    return this.density.takeMoved().flatMap((moved) => {
      const tenantId = owners.get(moved.modelId);
      return tenantId === undefined ? [] : [{ ...moved, tenantId }];
    });
  }

  /** The name of some chat model of a provider, to try it with; undefined when it has none. */
  anyChatModel(providerId: string): string | undefined {
    return this.#entries.get(providerId)?.models.find((model) => model.kind === 'chat')?.name;
  }

  /** The key of a stored provider in the clear; undefined where there is none. Opened once per process and row. */
  openKey(row: ProviderRow): string | undefined {
    return row.keySealed === null ? undefined : this.#sealer.open(row.keySealed, keyPlace(row));
  }

  /** The provider that a slug means for a tenant; undefined when there is none, it is disabled, or not shared with the tenant. */
  #provider(tenantId: string, slug: string): Known | undefined {
    const own = this.#index(tenantId).get(slug);
    if (own !== undefined) return own.entry.status === 'active' ? own : undefined;
    const shared = this.#index(platformTenantId).get(slug);
    if (shared === undefined || shared.entry.status !== 'active') return undefined;
    const { sharedWith } = shared.entry;
    return sharedWith === null || sharedWith.includes(tenantId) ? shared : undefined;
  }

  #index(tenantId: string): ReadonlyMap<string, Known> {
    if (this.#version !== this.#entries.version) {
      this.#version = this.#entries.version;
      this.#byTenant = new Map();
      for (const entry of this.#entries.values()) {
        const slugs = this.#byTenant.get(entry.tenantId) ?? new Map<string, Known>();
        slugs.set(entry.name, { entry, targets: this.#targetsOf(entry) });
        this.#byTenant.set(entry.tenantId, slugs);
      }
    }
    return this.#byTenant.get(tenantId) ?? none;
  }

  #targetsOf(entry: Entry): Known['targets'] {
    const key = lazy(() => this.openKey(entry));
    return new Map(
      entry.models.map((model) => [
        model.name,
        { live: this.#target(entry, model, key, 'live'), test: this.#target(entry, model, key, 'test') },
      ]),
    );
  }

  #target(entry: Entry, model: Entry['models'][number], key: () => string | undefined, mode: 'live' | 'test'): Target {
    const preset = presets[entry.preset];
    const platform = entry.tenantId === platformTenantId;
    // Resolved at first use: the index is whole by then. A platform's model falls back on the platform's own providers only.
    const fallbacks = lazy(() => this.#fallbacksOf(entry.tenantId, model, mode));
    const { density } = this;
    const cost = () => priceAt(model.book, this.#clock.now().epochMilliseconds);
    return {
      id: `${entry.name}/${model.name}`,
      providerId: entry.id,
      modelId: model.id,
      provider: entry.name,
      model: model.name,
      kind: model.kind,
      preset: entry.preset,
      baseUrl: entry.baseUrl,
      ownedBy: platform ? 'platform' : 'tenant',
      ownerTenantId: entry.tenantId,
      cheap: platform && model.cheap,
      contextTokens: model.contextTokens,
      maxOutputTokens: model.maxOutputTokens,
      maxImageTokens: model.maxImageTokens,
      maxAudioTokens: model.maxAudioTokens,
      outputCap: preset.outputCap,
      streamUsage: preset.streamUsage,
      get bytesPerToken() {
        return density.of(model.id) ?? model.bytesPerToken;
      },
      get fallbacks() {
        return fallbacks();
      },
      get cost() {
        return cost();
      },
      apiKey: key,
      headers: () => {
        const value = key();
        return value === undefined ? {} : { authorization: `Bearer ${value}` };
      },
    };
  }

  #fallbacksOf(tenantId: string, model: ModelRow, mode: 'live' | 'test'): readonly Target[] {
    return model.fallbacks.flatMap((id) => {
      const slash = id.indexOf('/');
      const next = this.#provider(tenantId, id.slice(0, slash))?.targets.get(id.slice(slash + 1));
      const target = mode === 'test' ? next?.test : next?.live;
      if (target === undefined || target.modelId === model.id || target.kind !== model.kind) return [];
      return mode === 'test' && !target.cheap ? [] : [target];
    });
  }
}

/** 404 in OpenAI's words; says the two forms when the name has no slash. */
function modelNotFound(id: string): Problem {
  const shown = id.slice(0, 200);
  return new Problem(modelProblems.modelNotFound, {
    detail: id.includes('/')
      ? `The model "${shown}" does not exist or you do not have access to it.`
      : `The model "${shown}" does not exist: write "provider/model" (see GET /v1/models) or "agent/name".`,
    param: 'model',
  });
}

const none: ReadonlyMap<string, Known> = new Map();

function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function entriesOf(rows: Awaited<ReturnType<typeof loadProviders>>): [string, Entry][] {
  const books = Map.groupBy(rows.prices, (price) => price.modelId);
  const models = Map.groupBy(rows.models, (model) => model.providerId);
  return rows.providers.map((provider) => [
    provider.id,
    {
      ...provider,
      models: (models.get(provider.id) ?? []).map((model) => ({
        ...model,
        book: (books.get(model.id) ?? []).map(unitPricesOf),
      })),
    },
  ]);
}

/** A price book row as others see it: only what is priced, in shortest decimals. */
export function unitPricesOf(row: PriceRow): UnitPrices {
  const columns = {
    input_tokens: row.inputTokens,
    cached_input_tokens: row.cachedInputTokens,
    cache_write_input_tokens: row.cacheWriteInputTokens,
    output_tokens: row.outputTokens,
    reasoning_tokens: row.reasoningTokens,
    requests: row.requests,
  };
  const prices: UnitPrices['prices'] = Object.fromEntries(
    pricedQuantities.flatMap((name) => {
      const value = columns[name];
      return value === null ? [] : [[name, formatDecimal(parseDecimal(value))]];
    }),
  );
  return { currency: row.currency, validFrom: row.validFrom, prices };
}
