import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import { parseId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { notFound } from '#kernel/problem';

import {
  newTenantSchema,
  ownChangeSchema,
  shownTenant,
  tenantChangeSchema,
  tenantFilterSchema,
  tenantSchema,
} from './schemas.ts';
import type { TenantManager } from './tenant-manager.ts';

const params = Type.Object({ id: Type.String() });

/** The UUID of a tenant named in a path; the same 404 for a bad id as for an unknown one. */
export function tenantIdOf(text: string): string {
  const id = parseId('tenant', text);
  if (id === undefined) throw notFound('tenant');
  return id;
}

/** The routes of tenancy. */
export function routes(tenants: TenantManager): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/platform/tenants',
      operationId: 'tenancy.createTenant',
      summary: 'Create a tenant.',
      area: 'platform',
      permission: 'platform-tenants:create',
      schema: { body: newTenantSchema, response: { 201: tenantSchema } },
      handle: async (context) => {
        const tenant = await tenants.createTenant(context.body, causeOf(context));
        context.reply.code(201);
        return shownTenant(tenant);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/tenants',
      operationId: 'tenancy.listTenants',
      summary: 'List tenants, newest first.',
      area: 'platform',
      permission: 'platform-tenants:read',
      schema: {
        query: Type.Object({ ...pageQuery, ...tenantFilterSchema }),
        response: { 200: pageSchema(tenantSchema) },
      },
      handle: async ({ query: { limit = 50, cursor, ...filter } }) => {
        const page = await tenants.listTenants(filter, readCursor(cursor, [uuidPart])?.[0], limit);
        return { ...page, data: page.data.map(shownTenant) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/tenants/:id',
      operationId: 'tenancy.getTenantInfo',
      summary: 'Read a tenant.',
      area: 'platform',
      permission: 'platform-tenants:read',
      schema: { params, response: { 200: tenantSchema } },
      handle: async ({ params: { id } }) => shownTenant(await tenants.getTenantInfo(tenantIdOf(id))),
    }),
    route({
      method: 'PATCH',
      path: '/v1/platform/tenants/:id',
      operationId: 'tenancy.updateTenant',
      summary: 'Change a tenant’s name and settings.',
      area: 'platform',
      permission: 'platform-tenants:update',
      schema: { params, body: tenantChangeSchema, response: { 200: tenantSchema } },
      handle: async (context) =>
        shownTenant(await tenants.updateTenant(tenantIdOf(context.params.id), context.body, causeOf(context))),
    }),
    route({
      method: 'POST',
      path: '/v1/platform/tenants/:id/suspend',
      operationId: 'tenancy.suspendTenant',
      summary: 'Refuse every call of a tenant.',
      area: 'platform',
      permission: 'platform-tenants:suspend',
      schema: {
        params,
        body: Type.Object({ reason: Type.Optional(Type.String({ maxLength: 500 })) }, { additionalProperties: false }),
        response: { 200: tenantSchema },
      },
      handle: async (context) =>
        shownTenant(await tenants.suspendTenant(tenantIdOf(context.params.id), context.body.reason, causeOf(context))),
    }),
    route({
      method: 'POST',
      path: '/v1/platform/tenants/:id/reactivate',
      operationId: 'tenancy.reactivateTenant',
      summary: 'Let a suspended tenant call again, or take its deletion back.',
      area: 'platform',
      permission: 'platform-tenants:suspend',
      schema: { params, response: { 200: tenantSchema } },
      handle: async (context) =>
        shownTenant(await tenants.reactivateTenant(tenantIdOf(context.params.id), causeOf(context))),
    }),
    route({
      method: 'DELETE',
      path: '/v1/platform/tenants/:id',
      operationId: 'tenancy.deleteTenant',
      summary: 'Close a tenant and erase it after a time of grace; what it used by then is invoiced first.',
      area: 'platform',
      permission: 'platform-tenants:delete',
      schema: {
        params,
        query: Type.Object({ graceDays: Type.Optional(Type.Integer({ minimum: 0, maximum: 90, default: 30 })) }),
        response: { 200: tenantSchema },
      },
      handle: async (context) => {
        const { graceDays = 30 } = context.query;
        return shownTenant(await tenants.deleteTenant(tenantIdOf(context.params.id), { graceDays }, causeOf(context)));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/tenant',
      operationId: 'tenancy.getOwnTenant',
      summary: 'Read one’s own tenant.',
      area: 'tenant',
      permission: 'tenants:read',
      schema: { response: { 200: tenantSchema } },
      handle: async ({ tenantId }) => shownTenant(await tenants.getOwnTenant(tenantId)),
    }),
    route({
      method: 'PATCH',
      path: '/v1/tenant',
      operationId: 'tenancy.updateOwnTenant',
      summary: 'Change one’s own tenant’s name, language and time zone.',
      area: 'tenant',
      permission: 'tenants:update',
      schema: { body: ownChangeSchema, response: { 200: tenantSchema } },
      handle: async (context) =>
        shownTenant(await tenants.updateTenant(context.tenantId, context.body, causeOf(context), 'tenant')),
    }),
  ];
}
