import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import { pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { tenantIdOf } from '#tenancy';

import type { EgressRules } from './egress-rules.ts';
import { gone, idParams, noContent, pageOptions, uuidOf } from './route-parts.ts';
import * as schemas from './schemas.ts';

/** Private addresses that the operator allows. */
export function egressRuleRoutes(rules: EgressRules): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/platform/egress-rules',
      operationId: 'models.listEgressRules',
      summary: 'List the private addresses that tenants may reach, oldest first.',
      area: 'platform',
      permission: 'platform-egress-rules:read',
      schema: { query: pageOptions, response: { 200: pageSchema(schemas.egressRuleSchema) } },
      handle: async ({ query: { limit = 50, cursor } }) => {
        const page = await rules.list(readCursor(cursor, [uuidPart])?.[0], limit);
        return { ...page, data: page.data.map(schemas.shownEgressRule) };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/platform/egress-rules',
      operationId: 'models.createEgressRule',
      summary: 'Allow a private address, to one tenant or to all.',
      area: 'platform',
      permission: 'platform-egress-rules:create',
      schema: { body: schemas.newEgressRuleSchema, response: { 201: schemas.egressRuleSchema } },
      handle: async (context) => {
        const { tenantId = null, target, note = '' } = context.body;
        const owner = tenantId === null ? null : tenantIdOf(tenantId);
        const row = await rules.create({ tenantId: owner, target, note }, causeOf(context));
        context.reply.code(201);
        return schemas.shownEgressRule(row);
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/platform/egress-rules/:id',
      operationId: 'models.deleteEgressRule',
      summary: 'Take an egress rule back.',
      area: 'platform',
      permission: 'platform-egress-rules:delete',
      schema: { params: idParams, response: gone },
      handle: async (context) => {
        await rules.delete(uuidOf('egressRule', context.params.id, 'egress rule'), causeOf(context));
        return noContent(context);
      },
    }),
  ];
}
