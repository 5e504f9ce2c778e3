import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import { parseId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { invalidInput, notFound } from '#kernel/problem';

import type { KeyManager } from './key-manager.ts';
import { keyInput, keySchema, name, newKeySchema, shownKey } from './schemas.ts';

const params = Type.Object({ id: Type.String() });

/** Routes of API keys. */
export function keyRoutes({ keys }: { keys: KeyManager }): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/api-keys',
      operationId: 'auth.listKeys',
      summary: 'List API keys, newest first.',
      area: 'tenant',
      permission: 'api-keys:read',
      schema: {
        query: Type.Object({ ...pageQuery, includeRevoked: Type.Optional(Type.Boolean({ default: false })) }),
        response: { 200: pageSchema(keySchema) },
      },
      handle: async ({ tenantId, query: { limit = 50, cursor, includeRevoked = false } }) => {
        const before = readCursor(cursor, [uuidPart])?.[0];
        const page = await keys.listKeys(tenantId, { includeRevoked, before, limit });
        return { ...page, data: page.data.map((row) => shownKey(keys, row)) };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/api-keys',
      operationId: 'auth.createKey',
      summary: 'Make an API key; it is shown this once.',
      area: 'tenant',
      permission: 'api-keys:create',
      schema: {
        body: Type.Object(
          {
            name,
            mode: Type.Optional(Type.Union([Type.Literal('live'), Type.Literal('test')])),
            ...keyInput,
          },
          { additionalProperties: false },
        ),
        response: { 201: newKeySchema },
      },
      handle: async (context) => {
        const input = { ...context.body, ...agentsOf(context.body) };
        const made = await keys.createKey(context.tenantId, input, causeOf(context), context.principal);
        context.reply.code(201);
        return { ...shownKey(keys, made.key), role: input.role ?? keys.roleOf(made.key), key: made.secret };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/api-keys/:id',
      operationId: 'auth.getKey',
      summary: 'Read an API key’s settings.',
      area: 'tenant',
      permission: 'api-keys:read',
      schema: { params, response: { 200: keySchema } },
      handle: async ({ tenantId, params: { id } }) => shownKey(keys, await keys.getKey(tenantId, keyIdOf(id))),
    }),
    route({
      method: 'PATCH',
      path: '/v1/api-keys/:id',
      operationId: 'auth.updateKey',
      summary: 'Change an API key’s name, role and restrictions.',
      area: 'tenant',
      permission: 'api-keys:update',
      schema: {
        params,
        body: Type.Object({ name: Type.Optional(name), ...keyInput }, { additionalProperties: false }),
        response: { 200: keySchema },
      },
      handle: async (context) => {
        const change = { ...context.body, ...agentsOf(context.body) };
        const id = keyIdOf(context.params.id);
        return shownKey(keys, await keys.updateKey(context.tenantId, id, change, causeOf(context), context.principal));
      },
    }),
    route({
      method: 'POST',
      path: '/v1/api-keys/:id/rotate',
      operationId: 'auth.rotateKey',
      summary: 'Replace an API key; the old one works until the overlap ends.',
      area: 'tenant',
      permission: 'api-keys:update',
      schema: {
        params,
        body: Type.Object(
          { overlapHours: Type.Optional(Type.Integer({ minimum: 0, maximum: 720, default: 24 })) },
          { additionalProperties: false },
        ),
        response: { 201: newKeySchema },
      },
      handle: async (context) => {
        const { tenantId, params, body, principal } = context;
        const hours = body.overlapHours ?? 24;
        const made = await keys.rotateKey(tenantId, keyIdOf(params.id), hours, causeOf(context), principal);
        context.reply.code(201);
        return { ...shownKey(keys, made.key), role: keys.roleOf(made.old), key: made.secret };
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/api-keys/:id',
      operationId: 'auth.revokeKey',
      summary: 'End an API key.',
      area: 'tenant',
      permission: 'api-keys:delete',
      schema: { params, response: { 200: keySchema } },
      handle: async (context) =>
        shownKey(keys, await keys.revokeKey(context.tenantId, keyIdOf(context.params.id), causeOf(context))),
    }),
  ];
}

function keyIdOf(text: string): string {
  const id = parseId('key', text);
  if (id === undefined) throw notFound('key');
  return id;
}

function agentsOf({ agents }: { agents?: string[] | null }): { agents?: string[] | null } {
  if (agents === undefined || agents === null) return agents === undefined ? {} : { agents };
  return {
    agents: agents.map((text, index) => {
      const id = parseId('agent', text);
      if (id === undefined) throw invalidInput(`/agents/${index}`, 'is not the id of an agent');
      return id;
    }),
  };
}
