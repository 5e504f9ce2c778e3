import Type, { type Static } from 'typebox';

import { formatId } from '#kernel/ids';

import type { TenantRow } from './store.ts';

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

const name = Type.String({ minLength: 1, maxLength: 120 });
const locale = Type.String({ minLength: 2, maxLength: 20, description: 'BCP 47: en, zh-CN, de-DE …' });
const timeZone = Type.String({ minLength: 1, maxLength: 60, description: 'IANA time zone.' });
const currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217.' });
const staleGraceSeconds = nullable(
  Type.Integer({
    minimum: 0,
    maximum: 3600,
    description:
      'Seconds that calls go on while a node cannot reach the database; 0: none, null: the installation’s own value, for which also leases of limits last.',
  }),
);
const status = Type.Union([
  Type.Literal('active'),
  Type.Literal('suspended'),
  Type.Literal('deleting'),
  Type.Literal('deleted'),
]);

/** A tenant as operators see it. */
export const tenantSchema = Type.Object({
  id: Type.String(),
  slug: Type.String(),
  name: Type.String(),
  status,
  locale: Type.String(),
  timeZone: Type.String(),
  currency: Type.String(),
  demo: Type.Boolean(),
  staleGraceSeconds: nullable(Type.Integer()),
  createdAt: Type.String(),
  deleteAfter: nullable(Type.String()),
});

/** What creates a tenant. */
export const newTenantSchema = Type.Object(
  {
    name,
    slug: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$' })),
    locale: Type.Optional(locale),
    timeZone: Type.Optional(timeZone),
    currency: Type.Optional(currency),
    demo: Type.Optional(Type.Boolean()),
    staleGraceSeconds: Type.Optional(staleGraceSeconds),
  },
  { additionalProperties: false },
);

/** What operators may change. */
export const tenantChangeSchema = Type.Object(
  {
    name: Type.Optional(name),
    locale: Type.Optional(locale),
    timeZone: Type.Optional(timeZone),
    currency: Type.Optional(currency),
    staleGraceSeconds: Type.Optional(staleGraceSeconds),
  },
  { additionalProperties: false },
);

/** What a tenant may change of itself. */
export const ownChangeSchema = Type.Object(
  { name: Type.Optional(name), locale: Type.Optional(locale), timeZone: Type.Optional(timeZone) },
  { additionalProperties: false },
);

/** The query of the list of tenants. */
export const tenantFilterSchema = {
  status: Type.Optional(status),
  search: Type.Optional(Type.String({ maxLength: 120, description: 'Part of the name or slug.' })),
  demo: Type.Optional(Type.Boolean()),
};

/** A tenant in its outside form. */
export function shownTenant({ erasing: _, ...row }: TenantRow): Static<typeof tenantSchema> {
  return { ...row, id: formatId('tenant', row.id) };
}
