import Type from 'typebox';

import { reachOf } from '#kernel/agent-reach';
import { periodOf } from '#kernel/calendar';
import type { Clock } from '#kernel/clock';
import { type Route, route } from '#kernel/http';
import { type IdKind, parseId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { invalidInput, notFound } from '#kernel/problem';

import type { MeteringManager } from './metering-manager.ts';
import type { NameLines } from './records.ts';
import {
  callFilterSchema,
  callSchema,
  callWithTraceSchema,
  ownCall,
  platformCallSchema,
  platformCallWithTraceSchema,
  platformUsageQuery,
  shownCall,
  shownInvoice,
  shownSum,
  usageQuery,
  usageSchema,
} from './schemas.ts';
import type { CallRow, UsageGroup } from './store.ts';

const params = Type.Object({ id: Type.String() });
const includeDemo = Type.Optional(Type.Boolean({ default: false }));
const maxDays = { day: 400, hour: 31 } as const;

/** The routes of metering. `zoneOf` is a tenant's time zone, `linesOf` names the place of usage on a bill. */
export function routes(deps: {
  metering: MeteringManager;
  clock: Clock;
  zoneOf: (tenantId: string) => string;
  linesOf: NameLines;
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

  /** A call with its place on the bill. */
  const traced = async <S extends object>(call: CallRow, shown: (call: CallRow) => S) => {
    const { tenantId, at, late } = call;
    const usage = await metering.usedBy(call);
    const invoice = usage.length === 0 ? null : await deps.linesOf({ tenantId, at, late, usage });
    return { ...shown(call), invoice: shownInvoice(invoice) };
  };

  const modeOf = (asked: string | undefined, group: UsageGroup) => {
    const mode = asked ?? (group === 'mode' ? 'all' : 'live');
    return mode === 'all' ? {} : { mode: mode as 'live' | 'test' };
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
        return { ...page, data: page.data.map(ownCall) };
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
        traced(await metering.getCall(tenantId, callIdOf(id), reachOf(principal)), ownCall),
    }),
    route({
      method: 'GET',
      path: '/v1/usage',
      operationId: 'metering.sumUsage',
      summary:
        'Sum live usage (or that of test keys) by day, hour, model, key, agent, type or mode; this month when no time is given.',
      area: 'tenant',
      permission: 'usage:read',
      schema: { query: Type.Object(usageQuery), response: { 200: usageSchema } },
      handle: async ({ tenantId, principal, query }) => {
        const timeZone = zoneOf(tenantId);
        const groupBy = (query.groupBy ?? 'day') as UsageGroup;
        const range = rangeOf(query, groupBy, timeZone);
        const picked = { ...range, ...modeOf(query.mode, groupBy) };
        const own = { ...picked, tenantId, includeDemo: true, reach: reachOf(principal) };
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
        traced(await metering.getAnyCall(callIdOf(id), reachOf(principal)), shownCall),
    }),
    route({
      method: 'GET',
      path: '/v1/platform/usage',
      operationId: 'metering.sumAllUsage',
      summary: 'Sum the live usage (or that of test keys) of all tenants, days in UTC.',
      area: 'platform',
      permission: 'platform-calls:read',
      schema: { query: Type.Object(platformUsageQuery), response: { 200: usageSchema } },
      handle: async ({ principal, query }) => {
        const groupBy = (query.groupBy ?? 'day') as UsageGroup;
        const range = rangeOf(query, groupBy, 'UTC');
        const own = { includeDemo: query.includeDemo ?? false, reach: reachOf(principal) };
        const filter = { ...range, ...modeOf(query.mode, groupBy), ...inner({ tenantId: query.tenantId }), ...own };
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
