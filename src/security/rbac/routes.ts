import Type from 'typebox';

import { type Route, route } from '#kernel/http';
import { formatId } from '#kernel/ids';

import type { RBACManager } from './rbac-manager.ts';

const risk = Type.Union([Type.Literal('low'), Type.Literal('medium'), Type.Literal('high')]);

/** The routes of rbac: what can be given, and who has it. */
export function routes(rbac: RBACManager): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/roles',
      operationId: 'rbac.listRoles',
      summary: 'List the roles of one’s tenant and what they give.',
      area: 'tenant',
      permission: null,
      schema: {
        response: {
          200: Type.Object({
            data: Type.Array(Type.Object({ name: Type.String(), permissions: Type.Array(Type.String()) })),
          }),
        },
      },
      handle: ({ tenantId }) => ({
        data: rbac.rolesFor(tenantId).map(({ name, permissions }) => ({ name, permissions: [...permissions].sort() })),
      }),
    }),
    route({
      method: 'GET',
      path: '/v1/permissions',
      operationId: 'rbac.listPermissions',
      summary: 'List the permissions that roles and key scopes are made of, with their risk.',
      area: 'tenant',
      permission: null,
      schema: {
        response: { 200: Type.Object({ data: Type.Array(Type.Object({ name: Type.String(), risk })) }) },
      },
      handle: ({ tenantId }) => ({
        data: rbac.vocabularyFor(tenantId).map(({ name, risk }) => ({ name, risk })),
      }),
    }),
    route({
      method: 'GET',
      path: '/v1/permissions/holders',
      operationId: 'rbac.auditPermissions',
      summary: 'Who can do what in one’s tenant.',
      area: 'tenant',
      permission: 'members:read',
      schema: {
        query: Type.Object({ permission: Type.Optional(Type.String({ maxLength: 100 })) }),
        response: {
          200: Type.Object({
            data: Type.Array(
              Type.Object({
                kind: Type.String(),
                id: Type.String(),
                roles: Type.Array(Type.String()),
                permissions: Type.Array(Type.String()),
              }),
            ),
          }),
        },
      },
      handle: async ({ tenantId, query }) => ({
        data: (await rbac.auditPermissions(tenantId, query.permission)).map(({ kind, id, roles, permissions }) => ({
          kind,
          id: formatId(kind, id),
          roles,
          permissions,
        })),
      }),
    }),
  ];
}
