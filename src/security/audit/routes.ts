import Type, { type Static } from 'typebox';

import { reachOf } from '#kernel/agent-reach';
import { type Principal, type Route, route } from '#kernel/http';
import { formatId, parseId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { notFound } from '#kernel/problem';
import { tenantIdOf } from '#tenancy';

import type { AuditLog } from './audit-log.ts';
import { insideId, outsideEvent } from './outside-form.ts';
import type { AuditFilter, AuditRow } from './store.ts';

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

const named = Type.Object({ kind: Type.String(), id: Type.String(), name: Type.Optional(Type.String()) });

const auditEventSchema = Type.Object({
  id: Type.String(),
  tenantId: Type.String(),
  at: Type.String(),
  type: Type.String(),
  actor: named,
  onBehalfOf: nullable(named),
  subject: named,
  origin: nullable(Type.Object({ ip: Type.Optional(Type.String()), client: Type.Optional(Type.String()) })),
  decision: nullable(
    Type.Object({ allowed: Type.Boolean(), reason: Type.String(), role: Type.Optional(Type.String()) }),
  ),
  data: Type.Record(Type.String(), Type.Unknown()),
  requestId: nullable(Type.String()),
  demo: Type.Boolean(),
});

const filterQuery = {
  ...pageQuery,
  type: Type.Optional(Type.String({ maxLength: 100, description: 'A type, or its beginning ending in a dot.' })),
  actor: Type.Optional(Type.String({ maxLength: 60, description: 'Id of who did it.' })),
  subject: Type.Optional(Type.String({ maxLength: 60, description: 'Id of what it was done to.' })),
  from: Type.Optional(Type.String({ format: 'date-time' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Exclusive.' })),
};

const params = Type.Object({ id: Type.String() });

const cursorParts = [/^\d{4}-\d\d-\d\dT[\d:.]{8,16}Z$/, uuidPart];

/** The routes of audit. */
export function routes(audit: AuditLog): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/audit/events',
      operationId: 'audit.listEvents',
      summary: 'Who did what in one’s tenant, newest first.',
      area: 'tenant',
      permission: 'audit-events:read',
      schema: { query: Type.Object(filterQuery), response: { 200: pageSchema(auditEventSchema) } },
      handle: async ({ tenantId, principal, query }) => {
        const before = readCursor(query.cursor, cursorParts);
        const page = await audit.listEvents(tenantId, filterOf(query, true, principal), before, query.limit ?? 50);
        return { ...page, data: page.data.map(shownEvent) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/audit/events/:id',
      operationId: 'audit.getEvent',
      summary: 'Read one audit event of one’s tenant.',
      area: 'tenant',
      permission: 'audit-events:read',
      schema: { params, response: { 200: auditEventSchema } },
      handle: async ({ tenantId, principal, params: { id } }) =>
        shownEvent(await audit.getEvent(tenantId, eventIdOf(id), reachOf(principal))),
    }),
    route({
      method: 'GET',
      path: '/v1/platform/audit/events',
      operationId: 'audit.listAllEvents',
      summary: 'Who did what in all tenants, newest first.',
      area: 'platform',
      permission: 'platform-audit-events:read',
      schema: {
        query: Type.Object({
          ...filterQuery,
          tenantId: Type.Optional(Type.String({ maxLength: 60 })),
          includeDemo: Type.Optional(Type.Boolean({ default: false })),
        }),
        response: { 200: pageSchema(auditEventSchema) },
      },
      handle: async ({ principal, query }) => {
        const before = readCursor(query.cursor, cursorParts);
        const tenantId = query.tenantId === undefined ? undefined : tenantIdOf(query.tenantId);
        const filter = filterOf(query, query.includeDemo ?? false, principal);
        const page = await audit.listAllEvents(tenantId, filter, before, query.limit ?? 50);
        return { ...page, data: page.data.map(shownEvent) };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/platform/audit/events/:id',
      operationId: 'audit.getAnyEvent',
      summary: 'Read one audit event of whichever tenant.',
      area: 'platform',
      permission: 'platform-audit-events:read',
      schema: { params, response: { 200: auditEventSchema } },
      handle: async ({ principal, params: { id } }) =>
        shownEvent(await audit.getAnyEvent(eventIdOf(id), reachOf(principal))),
    }),
  ];
}

function eventIdOf(text: string): string {
  const id = parseId('audit', text);
  if (id === undefined) throw notFound('audit event');
  return id;
}

function filterOf(
  query: { type?: string; actor?: string; subject?: string; from?: string; to?: string },
  includeDemo: boolean,
  principal: Principal,
): AuditFilter {
  const { type, actor, subject, from, to } = query;
  return {
    type,
    actorId: actor === undefined ? undefined : insideId(actor),
    subjectId: subject === undefined ? undefined : insideId(subject),
    from,
    to,
    includeDemo,
    reach: reachOf(principal),
  };
}

function shownEvent(row: AuditRow): Static<typeof auditEventSchema> {
  return { ...outsideEvent(row), id: formatId('audit', row.id) };
}
