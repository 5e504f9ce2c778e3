import Type from 'typebox';

import { reachOf } from '#kernel/agent-reach';
import type { Doors } from '#kernel/database';
import { type Context, type Principal, type Route, route } from '#kernel/http';
import { invalidInput, Problem, problems } from '#kernel/problem';
import { concerns, openSse, type StreamHub, sseEvent } from '#kernel/stream';
import type { MeteringManager } from '#metering';
import { shownCall } from '#metering';
import { forTenant, type LiveCalls } from './live-calls.ts';
import type { PlatformConsole } from './platform-console.ts';
import { NodeSchema, OverviewSchema } from './schemas.ts';
import { readLog } from './store.ts';
import { areaOf, logTopics, messageOf, topicPermission } from './topics.ts';

const replayLimit = 1_000;

/** What the routes need. */
export type ConsoleRouteDeps = {
  console: PlatformConsole;
  metering: MeteringManager;
  live: Pick<LiveCalls, 'refresh'>;
  hub: StreamHub;
  db: Pick<Doors, 'forService'>;
  authorize: (
    principal: Principal,
    permission: string,
    area: 'tenant' | 'platform',
  ) => { allowed: boolean; reason: string };
};

/** The routes of the console: overview, nodes, and the one stream of live data. */
export function routes(deps: ConsoleRouteDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/platform/overview',
      operationId: 'console.getPlatformStats',
      summary: 'Figures of the last minute over all tenants and nodes.',
      area: 'platform',
      permission: 'platform-calls:read',
      schema: {
        query: Type.Object({ includeDemo: Type.Optional(Type.Boolean({ default: true })) }),
        response: { 200: OverviewSchema },
      },
      handle: ({ query }) => deps.console.getPlatformStats(query.includeDemo ?? true),
    }),
    route({
      method: 'GET',
      path: '/v1/platform/nodes',
      operationId: 'console.monitorSystem',
      summary: 'The processes of this installation and how they stand.',
      area: 'platform',
      permission: 'platform-nodes:read',
      schema: { response: { 200: Type.Object({ data: Type.Array(NodeSchema) }) } },
      handle: async () => ({ data: await deps.console.monitorSystem() }),
    }),
    route({
      method: 'GET',
      path: '/v1/stream',
      operationId: 'console.stream',
      summary: 'Live data as server-sent events; resumes by Last-Event-ID.',
      area: 'tenant',
      // Each topic asks for the permission of what it shows.
      permission: null,
      schema: {
        query: Type.Object({
          topics: Type.String({
            minLength: 1,
            maxLength: 200,
            description: 'Comma-separated: calls, runs, approvals, audit; operators also overview.',
          }),
        }),
        response: { 200: Type.String({ description: 'text/event-stream' }) },
      },
      handle: (context) => stream(deps, context, context.query.topics),
    }),
  ];
}

async function stream(deps: ConsoleRouteDeps, context: Context, wanted: string): Promise<void> {
  const { principal } = context;
  const area = areaOf(principal);
  const platform = area === 'platform';
  const topics = new Set(wanted.split(',').map((topic) => topic.trim()));
  for (const topic of topics) {
    const permission = topicPermission(topic, area);
    if (permission === undefined) throw invalidInput('/query/topics', `there is no topic "${topic.slice(0, 40)}" here`);
    const decision = deps.authorize(principal, permission, area);
    if (!decision.allowed) throw new Problem(problems.forbidden, { detail: decision.reason, extra: { permission } });
  }
  const last = context.request.headers['last-event-id'];
  if (last !== undefined && !/^\d{1,15}$/.test(String(last)))
    throw invalidInput('/headers/last-event-id', 'is not an event id of this stream');
  context.reply.hijack();
  const response = context.reply.raw;
  openSse(response, { 'x-request-id': context.requestId });
  response.write('retry: 2000\n\n');
  const reader = { principal, topics, platform, response };
  deps.hub.add(reader);
  try {
    if (last !== undefined && [...topics].some((topic) => logTopics.includes(topic)))
      await replay(deps, reader, Number(last));
    if (topics.has('calls')) {
      // The feed first: what is committed from now on is told, what was before is on the page.
      await deps.live.refresh();
      const filter = { includeDemo: true, reach: reachOf(principal) };
      const page = platform
        ? await deps.metering.listAllCalls(filter, undefined, 50)
        : await deps.metering.listCalls(principal.tenantId, filter, undefined, 50);
      response.write(sseEvent({ event: 'calls', data: page.data.map((row) => forTenant(shownCall(row))) }));
    }
  } catch {
    // The reader comes back by itself and asks again.
    response.end();
  }
}

/** Sends what the log holds since the reader's last event; `reset` when that is no longer there, or too much. */
async function replay(
  deps: ConsoleRouteDeps,
  reader: { principal: Principal; topics: ReadonlySet<string>; platform: boolean; response: NodeJS.WritableStream },
  seq: number,
): Promise<void> {
  const { first, head, rows } = await deps.db.forService('log_reader', (tx) => readLog(tx, seq, replayLimit));
  if (seq + 1 < first || seq > head || rows.length === replayLimit) {
    reader.response.write(sseEvent({ event: 'reset', data: { head }, id: head }));
    return;
  }
  for (const row of rows) {
    const message = messageOf({ ...row.event, seq: row.seq });
    if (message === undefined || !reader.topics.has(message.topic) || !concerns(message, reader)) continue;
    reader.response.write(sseEvent({ event: message.event, data: message.data, id: row.seq }));
  }
}
