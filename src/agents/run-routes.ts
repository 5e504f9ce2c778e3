import type { FastifyReply } from 'fastify';
import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import { type Context, type Principal, type Route, route } from '#kernel/http';
import { formatId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { invalidInput, notFound, Problem } from '#kernel/problem';
import type { AgentCall, AgentCalls } from './agent-calls.ts';
import type { AgentDirectory } from './agent-directory.ts';
import type { ApprovalManager } from './approval-manager.ts';
import { readMessages } from './conversation.ts';
import { requireAgent } from './own-agents.ts';
import type { RunManager } from './run-manager.ts';
import { eventsOfRun, type RunBell } from './run-stream.ts';
import type { Run } from './runs.ts';
import {
  idParams,
  type Models,
  runDetailSchema,
  runSchema,
  runStatus,
  shownApproval,
  shownRuns,
  shownStep,
  uuidOf,
} from './schemas.ts';
import { priceOf } from './spending.ts';
import { answerWithEvents, goneSignal } from './sse-answer.ts';

const strict = { additionalProperties: false };

/** What the routes of runs call. */
export type RunRouteDeps = {
  runs: RunManager;
  approvals: ApprovalManager;
  calls: AgentCalls;
  directory: AgentDirectory;
  agents: Models;
  bell: RunBell;
  clock: Clock;
  isDemo(tenantId: string): boolean;
  /** Whether a principal may still read what it was let in to read: asked once a second. */
  mayStay(principal: Principal, permission: 'runs:read'): boolean;
};

const newRunBody = Type.Object(
  {
    input: Type.Union([
      Type.String({ minLength: 1, maxLength: 1_000_000 }),
      Type.Array(Type.Object({ role: Type.String() }, { additionalProperties: true }), {
        minItems: 1,
        maxItems: 2_000,
      }),
    ]),
    version: Type.Optional(
      Type.Union([Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[a-z0-9-]{1,40}$' })], {
        description: 'A version or an alias. Default live.',
      }),
    ),
    mode: Type.Optional(
      Type.Union([Type.Literal('wait'), Type.Literal('stream'), Type.Literal('background')], {
        description:
          'wait (default): answers when the run ends or waits for a person. stream: events. background: 202.',
      }),
    ),
  },
  strict,
);

/** Runs: start, look, follow, cancel, decide. */
export function runRoutes(deps: RunRouteDeps): readonly Route[] {
  const { runs, calls, directory, bell } = deps;
  const runOf = async ({
    tenantId,
    principal,
    params,
  }: Pick<Context<{ id: string }>, 'tenantId' | 'principal' | 'params'>) => {
    const run = await runs.getRun(tenantId, uuidOf('run', params.id));
    requireAgent(principal.agents, run.agentId, 'run');
    return run;
  };
  const shown = async (run: Run) => (await shownRuns(deps.agents, [run]))[0];
  const detail = async (run: Run) => {
    const { tenantId, id } = run;
    const [steps, pending] = await Promise.all([
      runs.getSteps(tenantId, id),
      deps.approvals.pendingApprovals(tenantId, id),
    ]);
    return {
      ...(await shown(run)),
      input: run.input,
      steps: steps.map(shownStep),
      approvals: pending.map(shownApproval),
    };
  };
  return [
    route({
      method: 'POST',
      path: '/v1/agents/:id/runs',
      operationId: 'agents.startRun',
      summary: 'Run an agent and wait, follow its events, or leave it to the background.',
      area: 'tenant',
      permission: 'agents:invoke',
      call: 'run',
      schema: { params: idParams, body: newRunBody, response: { 200: runSchema, 202: runSchema } },
      handle: async (context) => {
        const { input, version = 'live', mode = 'wait' } = context.body;
        const agent = directory.byId(context.tenantId, uuidOf('agent', context.params.id));
        if (agent === undefined) throw notFound('agent');
        if (mode !== 'background' && context.request.headers['idempotency-key'] !== undefined) {
          throw invalidInput('/headers/idempotency-key', 'is taken with mode "background" only');
        }
        const call = callOf(deps, context, mode === 'stream', {
          agent: calls.resolve(context.principal, `${agent.name}@${version}`),
          messages: typeof input === 'string' ? [{ role: 'user', content: input }] : readMessages(input, '/input'),
        });
        if (mode === 'background') {
          context.reply.code(202);
          return shown(await calls.queue(call));
        }
        if (mode === 'stream') return streamCall(context.reply, calls, call, shown);
        const { run, problem } = await calls.run({ ...call, signal: goneSignal(context.reply) });
        const price = priceOf(run);
        if (price !== null) context.reply.header('x-lintel-price', `${price.price} ${price.currency}`);
        if (problem === undefined) return shown(run);
        const extra = { ...problem.details.extra, run: formatId('run', run.id) };
        throw new Problem(problem.kind, { ...problem.details, extra, recorded: true });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/runs',
      operationId: 'agents.listRuns',
      summary: 'Runs, newest first.',
      area: 'tenant',
      permission: 'runs:read',
      schema: {
        query: Type.Object({ ...pageQuery, agent: Type.Optional(Type.String()), status: Type.Optional(runStatus) }),
        response: { 200: pageSchema(runSchema) },
      },
      handle: async ({ tenantId, principal: { agents }, query }) => {
        const [before] = readCursor(query.cursor, [uuidPart]) ?? [];
        const filter = {
          ...(before === undefined ? {} : { before }),
          ...(query.agent === undefined ? {} : { agentId: uuidOf('agent', query.agent) }),
          ...(query.status === undefined ? {} : { status: query.status }),
          ...(agents === undefined ? {} : { agents }),
        };
        const page = await runs.listRuns(tenantId, filter, query.limit ?? 50);
        return { ...page, data: await shownRuns(deps.agents, page.data) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/runs/:id',
      operationId: 'agents.getRun',
      summary: 'One run with its steps and what it waits for.',
      area: 'tenant',
      permission: 'runs:read',
      schema: { params: idParams, response: { 200: runDetailSchema } },
      handle: async (context) => detail(await runOf(context)),
    }),
    route({
      method: 'GET',
      path: '/v1/runs/:id/events',
      operationId: 'agents.followRun',
      summary: 'Events of a run as server-sent events; Last-Event-ID is the number of the last step seen.',
      area: 'tenant',
      permission: 'runs:read',
      schema: { params: idParams, response: { 200: Type.String({ description: 'text/event-stream' }) } },
      handle: async (context) => {
        const { tenantId, principal, request, reply } = context;
        const seen = String(request.headers['last-event-id'] ?? '-1');
        if (!/^(-1|\d{1,9})$/.test(seen)) throw invalidInput('/headers/last-event-id', 'must be the number of a step');
        const { id } = await runOf(context);
        const read = {
          run: () => runs.getRun(tenantId, id),
          steps: (from: number) => runs.getSteps(tenantId, id, from),
          bell,
          mayStay: () => deps.mayStay(principal, 'runs:read'),
        };
        await answerWithEvents(reply, context.requestId, async (write, gone) => {
          for await (const { event, data, ...rest } of eventsOfRun(read, id, Number(seen), gone))
            write(event, event === 'step' ? shownStep(data) : await shown(data), 'id' in rest ? rest.id : undefined);
        });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/runs/:id/cancel',
      operationId: 'agents.cancelRun',
      summary: 'Cancel a run; what it used so far is settled.',
      area: 'tenant',
      permission: 'runs:cancel',
      schema: { params: idParams, response: { 200: runSchema } },
      handle: async (context) =>
        shown(await runs.cancelRun(context.tenantId, (await runOf(context)).id, causeOf(context))),
    }),
    route({
      method: 'POST',
      path: '/v1/runs/:id/review',
      operationId: 'agents.reviewRun',
      summary: 'Decide about a tool call whose effect is in doubt: its result, call it again, or end the run.',
      area: 'tenant',
      permission: 'approvals:approve',
      schema: {
        params: idParams,
        body: Type.Object(
          {
            decision: Type.Union([Type.Literal('result'), Type.Literal('retry'), Type.Literal('fail')]),
            result: Type.Optional(
              Type.String({ maxLength: 64_000, description: 'With "result": what the tool gave.' }),
            ),
            note: Type.Optional(Type.String({ maxLength: 2_000 })),
          },
          strict,
        ),
        response: { 200: runSchema },
      },
      handle: async (context) => {
        const { body } = context;
        if (body.decision === 'result' && body.result === undefined) throw invalidInput('/result', 'is missing');
        const { id } = await runOf(context);
        return shown(await runs.reviewRun(context.tenantId, id, body, causeOf(context)));
      },
    }),
  ];
}

function callOf(
  deps: Pick<RunRouteDeps, 'clock' | 'isDemo'>,
  context: Context,
  stream: boolean,
  what: Pick<AgentCall, 'agent' | 'messages'>,
): AgentCall {
  const { origin, requestId, decision } = causeOf(context);
  return {
    ...what,
    callId: context.request.id,
    principal: context.principal,
    origin: context.origin,
    trace: context.trace,
    stream,
    demo: deps.isDemo(context.tenantId),
    startedAt: deps.clock.now(),
    cause: {
      ...(origin === undefined ? {} : { origin }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(decision === undefined ? {} : { decision }),
    },
  };
}

/** Runs an agent and writes what happens as it happens; ends after the call's row is kept. */
function streamCall(
  reply: FastifyReply,
  calls: AgentCalls,
  call: AgentCall,
  shown: (run: Run) => Promise<unknown>,
): Promise<void> {
  return answerWithEvents(reply, formatId('call', call.callId), async (write, signal) => {
    const { run, problem } = await calls.run({
      ...call,
      signal,
      listener: {
        onText: (delta) => write('text', { delta }),
        onStep: (step) => write('step', shownStep(step), step.status === 'done' ? step.seq : undefined),
      },
    });
    if (problem !== undefined)
      write('error', { code: problem.kind.type, detail: problem.message, ...problem.details.extra });
    write('run', await shown(run));
  });
}
