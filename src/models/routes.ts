import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import type { Verb } from '#kernel/module';
import { pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { platformTenantId, tenantIdOf } from '#tenancy';

import type { ProviderOffer } from './detect-providers.ts';
import type { ModelCatalogue } from './model-catalogue.ts';
import type { ModelManager } from './model-manager.ts';
import { modelRoutes } from './model-routes.ts';
import { presets } from './presets.ts';
import { gone, idParams, noContent, type Owner, pageOptions, providerOf } from './route-parts.ts';
import * as schemas from './schemas.ts';
import type { ProviderRow } from './store.ts';
import type { ProviderTest } from './test-provider.ts';

/** What the routes call. */
export type RouteDeps = {
  manager: ModelManager;
  models: ModelCatalogue;
  test: (row: ProviderRow) => Promise<ProviderTest>;
  offers: () => Promise<ProviderOffer[]>;
};

/** A tenant's own providers and models, and the presets. */
export function tenantRoutes(deps: RouteDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/provider-presets',
      operationId: 'models.listPresets',
      summary: 'List the presets for model providers.',
      area: 'tenant',
      permission: null,
      schema: { response: { 200: Type.Object({ data: Type.Array(schemas.presetSchema) }) } },
      handle: () => ({ data: Object.values(presets).map(schemas.shownPreset) }),
    }),
    ...ownerRoutes(deps, {
      area: 'tenant',
      base: '/v1/providers',
      suffix: '',
      providers: 'providers',
      models: 'models',
      owner: (context) => context.tenantId,
      provider: schemas.providerSchema,
      newProvider: schemas.newProviderSchema,
      providerChange: schemas.providerChangeSchema,
      newModel: schemas.newModelSchema,
      modelChange: schemas.modelChangeSchema,
      shown: schemas.shownProvider,
    }),
  ];
}

/** The platform's providers and models: the same routes for operators, and what this machine could offer. */
export function platformRoutes(deps: RouteDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/platform/provider-offers',
      operationId: 'models.listProviderOffers',
      summary: 'List providers that this machine could connect: keys named in its environment, an Ollama on loopback.',
      area: 'platform',
      permission: 'platform-providers:read',
      schema: { response: { 200: Type.Object({ data: Type.Array(schemas.offerSchema) }) } },
      handle: async () => ({ data: await deps.offers() }),
    }),
    ...ownerRoutes(deps, {
      area: 'platform',
      base: '/v1/platform/providers',
      suffix: 'Platform',
      providers: 'platform-providers',
      models: 'platform-providers',
      owner: () => platformTenantId,
      provider: schemas.platformProviderSchema,
      newProvider: schemas.newPlatformProviderSchema,
      providerChange: schemas.platformProviderChangeSchema,
      newModel: schemas.newPlatformModelSchema,
      modelChange: schemas.platformModelChangeSchema,
      shown: schemas.shownPlatformProvider,
    }),
  ];
}

function ownerRoutes(deps: RouteDeps, as: Owner): readonly Route[] {
  const { manager, test } = deps;
  const { area, base, shown } = as;
  const may = (noun: string, verb: Verb): `${string}:${Verb}` => `${noun}:${verb}`;
  const named = (method: string) => `models.${method.replace(/^([a-z]+)/, `$1${as.suffix}`)}`;
  const own = as.suffix === '' ? 'a model provider' : 'a model provider of the platform';
  return [
    route({
      method: 'GET',
      path: base,
      operationId: named('listProviders'),
      summary: `List ${own.replace('a model provider', 'model providers')}, oldest first.`,
      area,
      permission: may(as.providers, 'read'),
      schema: { query: pageOptions, response: { 200: pageSchema(as.provider) } },
      handle: async (context) => {
        const { limit = 50, cursor } = context.query;
        const page = await manager.listProviders(as.owner(context), readCursor(cursor, [uuidPart])?.[0], limit);
        return { ...page, data: page.data.map(shown) };
      },
    }),
    route({
      method: 'POST',
      path: base,
      operationId: named('createProvider'),
      summary: `Connect ${own}.`,
      area,
      permission: may(as.providers, 'create'),
      schema: { body: as.newProvider, response: { 201: as.provider } },
      handle: async (context) => {
        const row = await manager.createProvider(as.owner(context), withTenantIds(context.body), causeOf(context));
        context.reply.code(201);
        return shown(row);
      },
    }),
    route({
      method: 'GET',
      path: `${base}/:id`,
      operationId: named('getProvider'),
      summary: `Read ${own}.`,
      area,
      permission: may(as.providers, 'read'),
      schema: { params: idParams, response: { 200: as.provider } },
      handle: async (context) => shown(await manager.getProvider(as.owner(context), providerOf(context))),
    }),
    route({
      method: 'PATCH',
      path: `${base}/:id`,
      operationId: named('updateProvider'),
      summary: `Change ${own}.`,
      area,
      permission: may(as.providers, 'update'),
      schema: { params: idParams, body: as.providerChange, response: { 200: as.provider } },
      handle: async (context) => {
        const change = withTenantIds(context.body);
        return shown(await manager.updateProvider(as.owner(context), providerOf(context), change, causeOf(context)));
      },
    }),
    route({
      method: 'DELETE',
      path: `${base}/:id`,
      operationId: named('deleteProvider'),
      summary: `Remove ${own} with its models.`,
      area,
      permission: may(as.providers, 'delete'),
      schema: { params: idParams, response: gone },
      handle: async (context) => {
        await manager.deleteProvider(as.owner(context), providerOf(context), causeOf(context));
        return noContent(context);
      },
    }),
    route({
      method: 'POST',
      path: `${base}/:id/test`,
      operationId: named('testProvider'),
      summary: 'Make one real request to the provider (its list of models) and report latency and error.',
      area,
      permission: may(as.providers, 'update'),
      schema: { params: idParams, response: { 200: schemas.providerTestSchema } },
      handle: async (context) => test(await manager.getProvider(as.owner(context), providerOf(context))),
    }),
    ...modelRoutes(deps.models, as, may, named),
  ];
}

function withTenantIds<B extends object>(body: B): B {
  const { sharedWith } = body as { sharedWith?: string[] | null };
  return sharedWith === undefined || sharedWith === null ? body : { ...body, sharedWith: sharedWith.map(tenantIdOf) };
}
