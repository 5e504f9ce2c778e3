import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Principal, type Route, route } from '#kernel/http';
import { pageSchema, readCursor } from '#kernel/pages';
import { Problem } from '#kernel/problem';
import type { AgentManager } from './agent-manager.ts';
import { Name, NewDefinition, SecretValues } from './definitions.ts';
import { requireAgent } from './own-agents.ts';
import { agentProblems } from './problems.ts';
import {
  agentSchema,
  gone,
  idParams,
  pageOptions,
  shownAgents,
  shownVersion,
  uuidOf,
  versionSchema,
} from './schemas.ts';
import type { Agent } from './store.ts';

const strict = { additionalProperties: false };
const description = Type.String({ maxLength: 2_000 });
const note = Type.Optional(Type.String({ maxLength: 500, description: 'What changed, for people.' }));
const headers = Type.Optional(SecretValues);
const agentParams = Type.Object({ id: Type.String() });

/** Agents, versions and aliases. */
export function agentRoutes({ agents }: { agents: AgentManager }): readonly Route[] {
  const shown = async (agent: Agent) => (await shownAgents(agents, [agent]))[0];
  return [
    route({
      method: 'POST',
      path: '/v1/agents',
      operationId: 'agents.createAgent',
      summary: 'Make an agent: instructions, model and tools here, or one that runs elsewhere.',
      area: 'tenant',
      permission: 'agents:create',
      schema: {
        body: Type.Object(
          { name: Name, description: Type.Optional(description), definition: NewDefinition, headers, note },
          strict,
        ),
        response: { 201: agentSchema },
      },
      handle: async (context) => {
        if (context.principal.agents !== undefined)
          throw new Problem(agentProblems.agentNotAllowed, {
            detail: 'A key that may call some agents makes no others.',
          });
        const agent = await agents.createAgent(context.tenantId, context.body, causeOf(context));
        context.reply.code(201);
        return shown(agent);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agents',
      operationId: 'agents.listAgents',
      summary: 'List agents by name.',
      area: 'tenant',
      permission: 'agents:read',
      schema: { query: pageOptions, response: { 200: pageSchema(agentSchema) } },
      handle: async ({ tenantId, principal, query }) => {
        const [after] = readCursor(query.cursor, [/^[a-z0-9-]{1,40}$/]) ?? [];
        const page = await agents.listAgents(tenantId, after, query.limit ?? 50, principal.agents);
        return { ...page, data: await shownAgents(agents, page.data) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agents/:id',
      operationId: 'agents.getAgent',
      summary: 'One agent.',
      area: 'tenant',
      permission: 'agents:read',
      schema: { params: idParams, response: { 200: agentSchema } },
      handle: async (context) => shown(await agents.getAgent(context.tenantId, agentOf(context))),
    }),
    route({
      method: 'PATCH',
      path: '/v1/agents/:id',
      operationId: 'agents.updateAgent',
      summary: 'Change what is said of an agent. What it does is changed by a new version.',
      area: 'tenant',
      permission: 'agents:update',
      schema: { params: idParams, body: Type.Object({ description }, strict), response: { 200: agentSchema } },
      handle: async (context) => {
        const id = agentOf(context);
        return shown(await agents.updateAgent(context.tenantId, id, context.body, causeOf(context)));
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/agents/:id',
      operationId: 'agents.deleteAgent',
      summary: 'Delete an agent; its runs stay.',
      area: 'tenant',
      permission: 'agents:delete',
      schema: { params: idParams, response: gone },
      handle: async (context) => {
        await agents.deleteAgent(context.tenantId, agentOf(context), causeOf(context));
        context.reply.code(204);
        return null;
      },
    }),
    route({
      method: 'POST',
      path: '/v1/agents/:id/versions',
      operationId: 'agents.publishVersion',
      summary: 'Add a version. Calls without a version go to it at once, unless live is false.',
      area: 'tenant',
      permission: 'agents:update',
      schema: {
        params: idParams,
        body: Type.Object({ definition: NewDefinition, headers, note, live: Type.Optional(Type.Boolean()) }, strict),
        response: { 201: agentSchema },
      },
      handle: async (context) => {
        const id = agentOf(context);
        const agent = await agents.publishVersion(context.tenantId, id, context.body, causeOf(context));
        context.reply.code(201);
        return shown(agent);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agents/:id/versions',
      operationId: 'agents.listVersions',
      summary: 'Versions of an agent, newest first.',
      area: 'tenant',
      permission: 'agents:read',
      schema: { params: idParams, query: pageOptions, response: { 200: pageSchema(versionSchema) } },
      handle: async (context) => {
        const { tenantId, query } = context;
        const [before] = readCursor(query.cursor, [/^\d{1,9}$/]) ?? [];
        const id = agentOf(context);
        const page = await agents.listVersions(
          tenantId,
          id,
          before === undefined ? undefined : Number(before),
          query.limit ?? 50,
        );
        return { ...page, data: page.data.map(shownVersion) };
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/agents/:id/aliases/:alias',
      operationId: 'agents.setAlias',
      summary: 'Point an alias at a version: agent/<name>@<alias> calls it. Without an alias, live is called.',
      area: 'tenant',
      permission: 'agents:update',
      schema: {
        params: Type.Object({ ...agentParams.properties, alias: Name }),
        body: Type.Object({ version: Type.Integer({ minimum: 1, maximum: 999_999_999 }) }, strict),
        response: { 200: agentSchema },
      },
      handle: async (context) => {
        const { alias } = context.params;
        const { version } = context.body;
        const id = agentOf(context);
        return shown(await agents.setAlias(context.tenantId, id, alias, version, causeOf(context)));
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/agents/:id/aliases/:alias',
      operationId: 'agents.deleteAlias',
      summary: 'Take an alias away; live stays.',
      area: 'tenant',
      permission: 'agents:update',
      schema: { params: Type.Object({ ...agentParams.properties, alias: Name }), response: gone },
      handle: async (context) => {
        const { alias } = context.params;
        await agents.setAlias(context.tenantId, agentOf(context), alias, undefined, causeOf(context));
        context.reply.code(204);
        return null;
      },
    }),
  ];
}

/** The agent named in a path, of those that the caller may call. */
function agentOf({ params, principal }: { params: { id: string }; principal: Principal }): string {
  const id = uuidOf('agent', params.id);
  requireAgent(principal.agents, id, 'agent');
  return id;
}
