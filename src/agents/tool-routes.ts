import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import { pageSchema, readCursor } from '#kernel/pages';
import { builtinNames } from './builtin-tools.ts';
import { Name, SecretValues, ToolConfig } from './definitions.ts';
import { gone, idParams, pageOptions, shownTool, toolSchema, uuidOf } from './schemas.ts';
import type { ToolManager } from './tool-manager.ts';

const strict = { additionalProperties: false };

/** Tool sources. */
export function toolRoutes({ tools }: { tools: ToolManager }): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/tools',
      operationId: 'agents.createTool',
      summary: 'Connect a tool source: an MCP server, or an OpenAPI document. Its functions are read at once.',
      area: 'tenant',
      permission: 'tools:create',
      schema: {
        body: Type.Object({ name: Name, config: ToolConfig, secrets: Type.Optional(SecretValues) }, strict),
        response: { 201: toolSchema },
      },
      handle: async (context) => {
        const tool = await tools.createTool(context.tenantId, context.body, causeOf(context));
        context.reply.code(201);
        return shownTool(tool);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/tools',
      operationId: 'agents.listTools',
      summary: 'List tool sources by name, and the names of those that come with Lintel.',
      area: 'tenant',
      permission: 'tools:read',
      schema: {
        query: pageOptions,
        response: {
          200: Type.Object({ ...pageSchema(toolSchema).properties, builtin: Type.Array(Type.String()) }),
        },
      },
      handle: async ({ tenantId, query }) => {
        const [after] = readCursor(query.cursor, [/^[a-z0-9-]{1,40}$/]) ?? [];
        const page = await tools.listTools(tenantId, after, query.limit ?? 50);
        return { ...page, data: page.data.map(shownTool), builtin: [...builtinNames] };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/tools/:id',
      operationId: 'agents.getTool',
      summary: 'One tool source with its functions.',
      area: 'tenant',
      permission: 'tools:read',
      schema: { params: idParams, response: { 200: toolSchema } },
      handle: async ({ tenantId, params }) => shownTool(await tools.getTool(tenantId, uuidOf('tool', params.id))),
    }),
    route({
      method: 'PATCH',
      path: '/v1/tools/:id',
      operationId: 'agents.updateTool',
      summary: 'Change where a tool source is or what secrets go along; its functions are read anew.',
      area: 'tenant',
      permission: 'tools:update',
      schema: {
        params: idParams,
        body: Type.Object(
          { config: Type.Optional(ToolConfig), secrets: Type.Optional(Type.Union([SecretValues, Type.Null()])) },
          strict,
        ),
        response: { 200: toolSchema },
      },
      handle: async (context) => {
        const id = uuidOf('tool', context.params.id);
        return shownTool(await tools.updateTool(context.tenantId, id, context.body, causeOf(context)));
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tools/:id/refresh',
      operationId: 'agents.refreshTool',
      summary: 'Read the functions of a tool source anew.',
      area: 'tenant',
      permission: 'tools:update',
      schema: { params: idParams, response: { 200: toolSchema } },
      handle: async (context) => {
        const id = uuidOf('tool', context.params.id);
        return shownTool(await tools.refreshTool(context.tenantId, id, causeOf(context)));
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/tools/:id',
      operationId: 'agents.deleteTool',
      summary: 'Remove a tool source.',
      area: 'tenant',
      permission: 'tools:delete',
      schema: { params: idParams, response: gone },
      handle: async (context) => {
        await tools.deleteTool(context.tenantId, uuidOf('tool', context.params.id), causeOf(context));
        context.reply.code(204);
        return null;
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/platform/tenants/:id/tools/:toolId/trust',
      operationId: 'agents.trustTool',
      summary: "Say whether an MCP server's own hints (read-only, idempotent) are believed.",
      area: 'platform',
      permission: 'platform-tools:update',
      schema: {
        params: Type.Object({ ...idParams.properties, toolId: Type.String() }),
        body: Type.Object({ trusted: Type.Boolean() }, strict),
        response: { 200: toolSchema },
      },
      handle: async (context) => {
        const { id, toolId } = context.params;
        const tenantId = uuidOf('tenant', id);
        const { trusted } = context.body;
        return shownTool(await tools.trustTool(tenantId, uuidOf('tool', toolId), trusted, causeOf(context)));
      },
    }),
  ];
}
