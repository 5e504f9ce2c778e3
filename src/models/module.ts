import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Egress } from '#kernel/egress';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import type { Sealer } from '#kernel/seal';
import type { Snapshots } from '#kernel/snapshot';
import { platformTenantId } from '#tenancy';

import { atMost, type Bound, type BoundTarget, boundCall, type LeftOut, type Media, mostOutput } from './bound-call.ts';
import { engineOf, routerModel } from './built-in-router.ts';
import { addressCheck } from './check-base-url.ts';
import { CircuitBreakers } from './circuit-breaker.ts';
import { detectProviders } from './detect-providers.ts';
import { egressRuleRoutes } from './egress-routes.ts';
import { EgressRules } from './egress-rules.ts';
import { estimateTokens } from './estimate-tokens.ts';
import { events } from './events.ts';
import type { RouteMessage } from './messages.ts';
import { ModelCaller, ModelCallFailed } from './model-caller.ts';
import { ModelCatalogue } from './model-catalogue.ts';
import { ModelManager } from './model-manager.ts';
import { permissions } from './permissions.ts';
import { presets } from './presets.ts';
import { type Cost, priceCall, type Used } from './price-call.ts';
import { modelProblems } from './problems.ts';
import { findUsage, readUsage } from './read-usage.ts';
import { Registry } from './registry.ts';
import { type Failure, mayFallBack, readRetryAfter, retryDelayMs, safeToRetry, tripsCircuit } from './retry-policy.ts';
import { platformRoutes, tenantRoutes } from './routes.ts';
import { type ProviderRow, saveBytesPerToken } from './store.ts';
import { tables } from './tables.ts';
import { testProvider } from './test-provider.ts';
import type { Engine, ListedModel, Target } from './types.ts';

export type { ContentPart, Generated, GenerateRequest, Message, RouteMessage, ToolCall, ToolSpec } from './messages.ts';
export type { Bound, BoundTarget, Cost, Engine, Failure, LeftOut, ListedModel, Media, Target };
export {
  atMost,
  boundCall,
  CircuitBreakers,
  engineOf,
  estimateTokens,
  findUsage,
  mayFallBack,
  mostOutput,
  readRetryAfter,
  readUsage,
  retryDelayMs,
  safeToRetry,
  tripsCircuit,
};

/** Models' module with its services. */
export type ModelsModule = Module & {
  readonly manager: ModelManager;
  readonly catalogue: ModelCatalogue;
  /** One circuit per target, shared by the pass-through path and agents: `breakers.of(target).enter()`, `breakers.targets(target)`. */
  readonly breakers: CircuitBreakers;
  /** The target behind `provider/model`, from memory: its own provider of that name hides the platform's. Throws 404 `model-not-found`, for test keys 403. */
  resolve(tenantId: string, id: string, mode: 'live' | 'test'): Target;
  /** Every model a tenant (`test`: its test keys) may name, for `GET /v1/models`, the built-in deterministic router first. */
  list(tenantId: string, mode?: 'live' | 'test'): ListedModel[];
  /** The built-in router where a tenant has no chat model to choose; else undefined. */
  defaultModel(tenantId: string): string | undefined;
  /** What a call cost the provider key's owner, by the price that held then; null when unknown. */
  cost(target: Pick<Target, 'providerId' | 'modelId'>, used: Used, at: Temporal.Instant): Cost | null;
  /** Takes in bytes of text and the tokens they were, so that estimates of this model get better. */
  observe(target: Pick<Target, 'modelId' | 'bytesPerToken'>, bytes: number, tokens: number): void;
  /** Writes observed bytes per token back where they moved; done by itself every ten minutes. */
  keepLearned(): Promise<void>;
  /** One model call with circuit breaker, retries and fallbacks: an agent's durable step. Rejects with {@link ModelCallFailed}. */
  generate: ModelCaller['generate'];
  /** The operator's exceptions for private addresses, as kernel/egress takes them. */
  egressAllow: EgressRules['allow'];
};

const saveEveryMs = 600_000;

/** Models: which providers there are, what they charge, and calls to them. `environment` is where offers look for keys, by name. */
export function createModelsModule(deps: {
  db: Doors;
  snapshots: Snapshots;
  clock: Clock;
  log: Logger;
  sealer: Sealer;
  egress: Pick<Egress, 'fetch' | 'check'>;
  routeMessage: RouteMessage;
  environment: Readonly<Record<string, string | undefined>>;
}): ModelsModule {
  const { clock } = deps;
  const registry = new Registry(deps);
  const rules = new EgressRules(deps);
  const breakers = new CircuitBreakers(clock);
  const checkAddress = addressCheck(deps.egress, () => rules.allow());
  const manager = new ModelManager({ ...deps, checkAddress });
  const observe: ModelsModule['observe'] = (target, bytes, tokens) => {
    if (target.modelId !== null) registry.density.observe(target.modelId, target.bytesPerToken, bytes, tokens);
  };
  const caller = new ModelCaller({ ...deps, breakers, observe });
  const fetchFor = (tenantId: string) =>
    tenantId === platformTenantId ? globalThis.fetch : deps.egress.fetch(tenantId);
  const models = new ModelCatalogue(deps);
  const routeDeps = {
    manager,
    models,
    test: (row: ProviderRow) => {
      const model = registry.anyChatModel(row.id);
      return testProvider(
        {
          baseUrl: row.baseUrl,
          key: registry.openKey(row),
          ...(model === undefined ? {} : { model: { name: model, capField: presets[row.preset].outputCap.field } }),
        },
        fetchFor(row.tenantId),
        () => clock.monotonic(),
      );
    },
    offers: () =>
      detectProviders(deps.environment, async (baseUrl) => {
        const found = await testProvider({ baseUrl, key: undefined }, globalThis.fetch, () => clock.monotonic(), 500);
        return found.ok ? found.models : undefined;
      }),
  };
  const keepLearned = async () => {
    for (const { modelId, tenantId, value } of registry.takeObserved())
      await deps.db.forTenant(tenantId, (tx) => saveBytesPerToken(tx, tenantId, modelId, value));
  };
  return {
    name: 'models',
    manager,
    catalogue: models,
    breakers,
    resolve: (tenantId, id, mode) => registry.resolve(tenantId, id, mode),
    list: (tenantId, mode = 'live') => registry.list(tenantId, mode),
    defaultModel: (tenantId) => {
      const connected = registry
        .list(tenantId, 'live')
        .some(({ engine, kind }) => engine === 'language-model' && kind === 'chat');
      return connected ? undefined : routerModel;
    },
    cost: (target, used, at) => {
      const entry = registry.pricesAt(target, at);
      return entry === undefined ? null : priceCall(entry, used);
    },
    observe,
    generate: (request) => caller.generate(request),
    egressAllow: () => rules.allow(),
    routes: [...tenantRoutes(routeDeps), ...platformRoutes(routeDeps), ...egressRuleRoutes(rules)],
    tables,
    events,
    problems: modelProblems,
    permissions,
    migrations: new URL('./migrations/', import.meta.url),
    keepLearned,
    start: async () => {
      let saving: Promise<void> = Promise.resolve();
      const timer = setInterval(() => {
        saving = keepLearned().catch((error: unknown) => deps.log.debug({ err: error }, 'bytes per token not kept'));
      }, saveEveryMs);
      return async () => {
        clearInterval(timer);
        await saving;
      };
    },
  };
}
