import Type from 'typebox';

import { reachOf } from '#kernel/agent-reach';
import { periodOf } from '#kernel/calendar';
import type { Clock } from '#kernel/clock';
import { type Route, route } from '#kernel/http';
import { type IdKind, parseId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { invalidInput, notFound } from '#kernel/problem';

import type { MeteringManager } from './metering-manager.ts';
import {
  callFilterSchema,
  callSchema,
  callWithTraceSchema,
  platformCallSchema,
  platformCallWithTraceSchema,
  platformUsageQuery,
  shownCall,
  shownSum,
  usageQuery,
  usageSchema,
} from './schemas.ts';
import type { UsageGroup } from './store.ts';

const params = Type.Object({ id: Type.String() });
const includeDemo = Type.Optional(Type.Boolean({ default: false }));
const maxDays = { day: 400, hour: 31 } as const;

/** The routes of metering. `zoneOf` is a tenant's time zone. */
export function routes(deps: {
  metering: MeteringManager;
  clock: Clock;
  zoneOf: (tenantId: string) => string;
}): readonly Route[] {
  const { metering, clock, zoneOf } = deps;

  /** The range asked for; this month when not given. 400 when it is empty or too long to be summed that way. */
  const rangeOf = (query: { from?: string; to?: string }, group: UsageGroup, zone: string) => {
    const month = periodOf(clock.now(), zone, 'month');
    const from = query.from === undefined ? month.start : Temporal.Instant.from(query.from);
    const to = query.to === undefined ? month.end : Temporal.Instant.from(query.to);
    const hours = to.since(from).total('hours');
    if (hours <= 0) throw invalidInput('/query/to', 'must be after from');
    const most = maxDays[group === 'hour' ? 'hour' : 'day'];
    if (hours > most * 24) throw invalidInput('/query/from', `must be at most ${most} days before to`);
    return { from: from.toString(), to: to.toString() };
  };

  return [
    route({
      method: 'GET',
      path: '/v1/calls',
      operationId: 'metering.listCalls',
      summary: 'List calls, newest first.',
      area: 'tenant',
      permission: 'calls:read',
      schema: {
        query: Type.Object({ ...pageQuery, ...callFilterSchema }),
        response: { 200: pageSchema(callSchema) },
      },
      handle: async ({ tenantId, principal, query: { limit = 50, cursor, ...filter } }) => {
        const before = readCursor(cursor, [uuidPart])?.[0];
        const own = { ...inner(filter), includeDemo: true, reach: reachOf(principal) };
        const page = await metering.listCalls(tenantId, own, before, limit);
        return { ...page, data: page.data.map(shownCall) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/calls/:id',
      operationId: 'metering.getCall',
      summary: 'Read a call with its decision trace.',
      area: 'tenant',
      permission: 'calls:read',
      schema: { params, response: { 200: callWithTraceSchema } },
      handle: async ({ tenantId, principal, params: { id } }) =>
        shownCall(await metering.getCall(tenantId, callIdOf(id), reachOf(principal))),
    }),
    route({
      method: 'GET',
      path: '/v1/usage',
      operationId: 'metering.sumUsage',
      summary: 'Sum usage by day, hour, model, key, agent or type; this month when no time is given.',
      area: 'tenant',
      permission: 'usage:read',
      schema: { query: Type.Object(usageQuery), response: { 200: usageSchema } },
      handle: async ({ tenantId, principal, query }) => {
        const timeZone = zoneOf(tenantId);
        const groupBy = (query.groupBy ?? 'day') as UsageGroup;
        const range = rangeOf(query, groupBy, timeZone);
        const own = { ...range, tenantId, includeDemo: true, reach: reachOf(principal) };
        const sums = await metering.sumUsage(own, groupBy, timeZone, 'tenant');
        return { ...range, groupBy, timeZone, data: sums.map((sum) => shownSum(sum, groupBy)) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/calls',
      operationId: 'metering.listAllCalls',
      summary: 'List the calls of all tenants, newest first.',
      area: 'platform',
      permission: 'platform-calls:read',
      schema: {
        query: Type.Object({
          ...pageQuery,
          ...callFilterSchema,
          tenantId: Type.Optional(Type.String()),
          includeDemo,
        }),
        response: { 200: pageSchema(platformCallSchema) },
      },
      handle: async ({ principal, query: { limit = 50, cursor, includeDemo: demo = false, ...filter } }) => {
        const before = readCursor(cursor, [uuidPart])?.[0];
        const own = { ...inner(filter), includeDemo: demo, reach: reachOf(principal) };
        const page = await metering.listAllCalls(own, before, limit);
        return { ...page, data: page.data.map(shownCall) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/calls/:id',
      operationId: 'metering.getAnyCall',
      summary: 'Read a call of any tenant with its decision trace.',
      area: 'platform',
      permission: 'platform-calls:read',
      schema: { params, response: { 200: platformCallWithTraceSchema } },
      handle: async ({ principal, params: { id } }) =>
        shownCall(await metering.getAnyCall(callIdOf(id), reachOf(principal))),
    }),
    route({
      method: 'GET',
      path: '/v1/platform/usage',
      operationId: 'metering.sumAllUsage',
      summary: 'Sum the usage of all tenants, days in UTC.',
      area: 'platform',
      permission: 'platform-calls:read',
      schema: { query: Type.Object(platformUsageQuery), response: { 200: usageSchema } },
      handle: async ({ principal, query }) => {
        const groupBy = (query.groupBy ?? 'day') as UsageGroup;
        const range = rangeOf(query, groupBy, 'UTC');
        const own = { includeDemo: query.includeDemo ?? false, reach: reachOf(principal) };
        const filter = { ...range, ...inner({ tenantId: query.tenantId }), ...own };
        const sums = await metering.sumUsage(filter, groupBy, 'UTC', 'platform');
        return { ...range, groupBy, timeZone: 'UTC', data: sums.map((sum) => shownSum(sum, groupBy)) };
      },
    }),
  ];
}

function callIdOf(text: string): string {
  const id = parseId('call', text) ?? parseId('request', text);
  if (id === undefined) throw notFound('call');
  return id;
}

const nobody = '00000000-0000-0000-0000-000000000000';
const idMembers: Readonly<Record<string, IdKind>> = { keyId: 'key', agentId: 'agent', tenantId: 'tenant' };

/** A filter with inside ids; one that cannot be read finds nothing, like an unknown one. */
function inner<T extends Record<string, string | undefined>>(filter: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(filter).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const kind = idMembers[name];
    return [[name, kind === undefined ? value : (parseId(kind, value) ?? nobody)]];
  });
  return Object.fromEntries(entries);
}
