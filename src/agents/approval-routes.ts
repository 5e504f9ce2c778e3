import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Route, route } from '#kernel/http';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import type { ApprovalManager } from './approval-manager.ts';
import { requireAgent } from './own-agents.ts';
import type { RunManager } from './run-manager.ts';
import { approvalSchema, idParams, type Models, runSchema, shownApproval, shownRuns, uuidOf } from './schemas.ts';

const status = Type.Union(
  (['pending', 'approved', 'rejected', 'cancelled'] as const).map((each) => Type.Literal(each)),
);

// Also without a body.
const decisionBody = Type.Unsafe<{ note?: string } | null>({
  type: ['object', 'null'],
  properties: { note: Type.String({ maxLength: 2_000 }) },
  additionalProperties: false,
});

/** The approvals inbox. */
export function approvalRoutes({
  approvals,
  runs,
  agents,
}: {
  approvals: ApprovalManager;
  runs: Pick<RunManager, 'getRun'>;
  agents: Models;
}): readonly Route[] {
  const decision = (verb: 'approve' | 'reject', summary: string): Route =>
    route({
      method: 'POST',
      path: `/v1/approvals/:id/${verb}`,
      operationId: `agents.${verb}Call`,
      summary,
      area: 'tenant',
      permission: 'approvals:approve',
      schema: {
        params: idParams,
        body: decisionBody,
        response: { 200: approvalSchema },
      },
      handle: async (context) => {
        const to = { approved: verb === 'approve', note: context.body?.note };
        const id = uuidOf('approval', context.params.id);
        const { agents } = context.principal;
        return shownApproval(await approvals.decideApproval(context.tenantId, id, to, causeOf(context), agents));
      },
    });
  return [
    route({
      method: 'GET',
      path: '/v1/approvals',
      operationId: 'agents.listApprovals',
      summary: 'Tool calls that wait, or waited, for a person; newest first.',
      area: 'tenant',
      permission: 'approvals:read',
      schema: {
        query: Type.Object({ ...pageQuery, status: Type.Optional(status) }),
        response: { 200: pageSchema(approvalSchema) },
      },
      handle: async ({ tenantId, principal: { agents }, query }) => {
        const [before] = readCursor(query.cursor, [uuidPart]) ?? [];
        const filter = {
          ...(before === undefined ? {} : { before }),
          ...(query.status === undefined ? {} : { status: query.status }),
          ...(agents === undefined ? {} : { agents }),
        };
        const page = await approvals.listApprovals(tenantId, filter, query.limit ?? 50);
        return { ...page, data: page.data.map(shownApproval) };
      },
    }),
    decision(
      'approve',
      'Say yes to a tool call; the run goes on in background. A key needs approvals:approve among its scopes.',
    ),
    decision('reject', 'Say no to a tool call; the model is told. A key needs approvals:approve among its scopes.'),
    route({
      method: 'POST',
      path: '/v1/runs/:id/approve',
      operationId: 'agents.approveRun',
      summary:
        'Say yes to every tool call that a run waits with; it goes on in background. A key needs approvals:approve among its scopes.',
      area: 'tenant',
      permission: 'approvals:approve',
      schema: { params: idParams, body: decisionBody, response: { 200: runSchema } },
      handle: async (context) => {
        const { tenantId, principal, body } = context;
        const { id, agentId } = await runs.getRun(tenantId, uuidOf('run', context.params.id));
        requireAgent(principal.agents, agentId, 'run');
        await approvals.approveRun(tenantId, id, body?.note, causeOf(context));
        return (await shownRuns(agents, [await runs.getRun(tenantId, id)]))[0];
      },
    }),
  ];
}
