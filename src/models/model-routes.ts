import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import type { Verb } from '#kernel/module';
import { pageSchema, readCursor, uuidPart } from '#kernel/pages';

import type { ModelCatalogue } from './model-catalogue.ts';
import { gone, idParams, modelOf, noContent, type Owner, pageOptions, providerOf } from './route-parts.ts';
import * as schemas from './schemas.ts';

const modelParams = Type.Object({ id: Type.String(), modelId: Type.String() });

/** The models of a provider and their prices, for a tenant's own or the platform's. */
export function modelRoutes(
  models: ModelCatalogue,
  as: Owner,
  may: (noun: string, verb: Verb) => `${string}:${Verb}`,
  named: (method: string) => string,
): readonly Route[] {
  const { area } = as;
  const base = `${as.base}/:id/models`;
  return [
    route({
      method: 'GET',
      path: base,
      operationId: named('listModels'),
      summary: 'List the models of a provider, oldest first.',
      area,
      permission: may(as.models, 'read'),
      schema: { params: idParams, query: pageOptions, response: { 200: pageSchema(schemas.modelSchema) } },
      handle: async (context) => {
        const { limit = 50, cursor } = context.query;
        const after = readCursor(cursor, [uuidPart])?.[0];
        const page = await models.listModels(as.owner(context), providerOf(context), after, limit);
        return { ...page, data: page.data.map(schemas.shownModel) };
      },
    }),
    route({
      method: 'POST',
      path: base,
      operationId: named('createModel'),
      summary: 'Add a model to a provider.',
      area,
      permission: may(as.models, 'create'),
      schema: { params: idParams, body: as.newModel, response: { 201: schemas.modelSchema } },
      handle: async (context) => {
        const row = await models.createModel(as.owner(context), providerOf(context), context.body, causeOf(context));
        context.reply.code(201);
        return schemas.shownModel(row);
      },
    }),
    route({
      method: 'PATCH',
      path: `${base}/:modelId`,
      operationId: named('updateModel'),
      summary: 'Change a model.',
      area,
      permission: may(as.models, 'update'),
      schema: { params: modelParams, body: as.modelChange, response: { 200: schemas.modelSchema } },
      handle: async (context) => {
        const where = [as.owner(context), providerOf(context), modelOf(context)] as const;
        return schemas.shownModel(await models.updateModel(...where, context.body, causeOf(context)));
      },
    }),
    route({
      method: 'DELETE',
      path: `${base}/:modelId`,
      operationId: named('deleteModel'),
      summary: 'Remove a model.',
      area,
      permission: may(as.models, 'delete'),
      schema: { params: modelParams, response: gone },
      handle: async (context) => {
        await models.deleteModel(as.owner(context), providerOf(context), modelOf(context), causeOf(context));
        return noContent(context);
      },
    }),
    route({
      method: 'GET',
      path: `${base}/:modelId/prices`,
      operationId: named('listModelPrices'),
      summary: 'List what the provider charges for a model, latest first.',
      area,
      permission: may(as.models, 'read'),
      schema: { params: modelParams, response: { 200: Type.Object({ data: Type.Array(schemas.priceSchema) }) } },
      handle: async (context) => ({
        data: await models.listPrices(as.owner(context), providerOf(context), modelOf(context)),
      }),
    }),
    route({
      method: 'POST',
      path: `${base}/:modelId/prices`,
      operationId: named('setModelPrice'),
      summary: 'Enter what the provider charges for a model from an instant on.',
      area,
      permission: may(as.models, 'update'),
      schema: { params: modelParams, body: schemas.newPriceSchema, response: { 201: schemas.priceSchema } },
      handle: async (context) => {
        const where = [as.owner(context), providerOf(context), modelOf(context)] as const;
        const price = await models.setPrice(...where, context.body, causeOf(context));
        context.reply.code(201);
        return price;
      },
    }),
  ];
}
