import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import { type IdKind, parseId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { notFound } from '#kernel/problem';

import type { QuotaManager } from './quota-manager.ts';
import {
  innerFilter,
  innerLimit,
  limitChangeSchema,
  limitFilterSchema,
  limitSchema,
  newLimitSchema,
  shownLimit,
} from './schemas.ts';

const one = Type.Object({ id: Type.String() });
const ofTenant = Type.Object({ id: Type.String(), limitId: Type.String() });
const list = Type.Object({ ...pageQuery, ...limitFilterSchema });

function idOf(kind: IdKind, text: string): string {
  const id = parseId(kind, text);
  if (id === undefined) throw notFound(kind);
  return id;
}

/** The routes of quota: a tenant's own, and those of operators. */
export function routes(quota: QuotaManager): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/limits',
      operationId: 'quota.getUsage',
      summary: 'List limits with what of each is used.',
      area: 'tenant',
      permission: 'limits:read',
      schema: { query: list, response: { 200: pageSchema(limitSchema) } },
      handle: async ({ tenantId, query: { limit = 50, cursor, ...filter } }) => {
        const after = readCursor(cursor, [uuidPart])?.[0];
        const page = await quota.getUsage(tenantId, innerFilter(filter), after, limit);
        return { ...page, data: page.data.map(shownLimit) };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/limits',
      operationId: 'quota.setQuota',
      summary: 'Limit a key or an agent.',
      area: 'tenant',
      permission: 'limits:create',
      schema: { body: newLimitSchema, response: { 201: limitSchema } },
      handle: async (context) => {
        const made = await quota.setQuota(context.tenantId, innerLimit(context.body), 'tenant', causeOf(context));
        context.reply.code(201);
        return shownLimit(made);
      },
    }),
    route({
      method: 'PATCH',
      path: '/v1/limits/:id',
      operationId: 'quota.updateQuota',
      summary: 'Change a limit of a key or an agent.',
      area: 'tenant',
      permission: 'limits:update',
      schema: { params: one, body: limitChangeSchema, response: { 200: limitSchema } },
      handle: async (context) => {
        const id = idOf('limit', context.params.id);
        return shownLimit(await quota.updateQuota(context.tenantId, id, context.body, 'tenant', causeOf(context)));
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/limits/:id',
      operationId: 'quota.deleteQuota',
      summary: 'Take away a limit of a key or an agent.',
      area: 'tenant',
      permission: 'limits:delete',
      schema: { params: one, response: { 204: Type.Null() } },
      handle: async (context) => {
        await quota.deleteQuota(context.tenantId, idOf('limit', context.params.id), 'tenant', causeOf(context));
        return context.reply.code(204).send();
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/tenants/:id/limits',
      operationId: 'quota.getTenantUsage',
      summary: 'List the limits of a tenant with what of each is used.',
      area: 'platform',
      permission: 'platform-limits:read',
      schema: { params: one, query: list, response: { 200: pageSchema(limitSchema) } },
      handle: async ({ params: { id }, query: { limit = 50, cursor, ...filter } }) => {
        const after = readCursor(cursor, [uuidPart])?.[0];
        const page = await quota.getUsage(idOf('tenant', id), innerFilter(filter), after, limit, 'platform');
        return { ...page, data: page.data.map(shownLimit) };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/platform/tenants/:id/limits',
      operationId: 'quota.setTenantQuota',
      summary: 'Limit a tenant, or one of its keys or agents.',
      area: 'platform',
      permission: 'platform-limits:create',
      schema: { params: one, body: newLimitSchema, response: { 201: limitSchema } },
      handle: async (context) => {
        const tenantId = idOf('tenant', context.params.id);
        const made = await quota.setQuota(tenantId, innerLimit(context.body), 'platform', causeOf(context));
        context.reply.code(201);
        return shownLimit(made);
      },
    }),
    route({
      method: 'PATCH',
      path: '/v1/platform/tenants/:id/limits/:limitId',
      operationId: 'quota.updateTenantQuota',
      summary: 'Change a limit of a tenant.',
      area: 'platform',
      permission: 'platform-limits:update',
      schema: { params: ofTenant, body: limitChangeSchema, response: { 200: limitSchema } },
      handle: async (context) => {
        const { id, limitId } = context.params;
        const [tenantId, limit] = [idOf('tenant', id), idOf('limit', limitId)];
        return shownLimit(await quota.updateQuota(tenantId, limit, context.body, 'platform', causeOf(context)));
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/platform/tenants/:id/limits/:limitId',
      operationId: 'quota.deleteTenantQuota',
      summary: 'Take away a limit of a tenant.',
      area: 'platform',
      permission: 'platform-limits:delete',
      schema: { params: ofTenant, response: { 204: Type.Null() } },
      handle: async (context) => {
        const { id, limitId } = context.params;
        await quota.deleteQuota(idOf('tenant', id), idOf('limit', limitId), 'platform', causeOf(context));
        return context.reply.code(204).send();
      },
    }),
  ];
}
