import Type, { type Static } from 'typebox';

import { formatId, parseId } from '#kernel/ids';
import { invalidInput } from '#kernel/problem';

import type { LimitStanding, NewLimit } from './quota-manager.ts';
import { shownAmount } from './shown-amount.ts';
import type { LimitFilter } from './store.ts';

const scope = Type.Union([Type.Literal('tenant'), Type.Literal('key'), Type.Literal('agent')]);
const resource = Type.Union([
  Type.Literal('requests'),
  Type.Literal('concurrency'),
  Type.Literal('tokens'),
  Type.Literal('money'),
]);
const window = Type.Union([Type.Literal('second'), Type.Literal('none'), Type.Literal('day'), Type.Literal('month')]);
const amount = Type.String({
  maxLength: 40,
  description: 'Decimal string: money in units of the tenant’s currency, all else whole.',
});
const burst = Type.Union([Type.Integer({ minimum: 1, maximum: 1_000_000_000 }), Type.Null()], {
  description: 'Requests that may come at once; the amount when null.',
});
const text = Type.String();

/** A limit and where it stands. */
export const limitSchema = Type.Object({
  id: text,
  scope,
  scopeId: Type.Union([text, Type.Null()]),
  resource,
  window,
  amount: text,
  burst: Type.Union([Type.Integer(), Type.Null()]),
  enabled: Type.Boolean(),
  used: text,
  reserved: text,
  remaining: text,
  resetsAt: Type.Union([text, Type.Null()]),
  createdAt: text,
  updatedAt: text,
});

/** What sets a limit. */
export const newLimitSchema = Type.Object(
  {
    scope,
    scopeId: Type.Optional(Type.Union([text, Type.Null()])),
    resource,
    window,
    amount,
    burst: Type.Optional(burst),
    enabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

/** What changes a limit. */
export const limitChangeSchema = Type.Object(
  { amount: Type.Optional(amount), burst: Type.Optional(burst), enabled: Type.Optional(Type.Boolean()) },
  { additionalProperties: false, minProperties: 1 },
);

/** The query of lists of limits. */
export const limitFilterSchema = {
  scope: Type.Optional(scope),
  scopeId: Type.Optional(text),
  resource: Type.Optional(resource),
  window: Type.Optional(window),
};

/** A limit in its outside form. */
export function shownLimit({ tenantId: _, ...limit }: LimitStanding): Static<typeof limitSchema> {
  const { scope: kind, scopeId, resource: of, amount: inner } = limit;
  return {
    ...limit,
    id: formatId('limit', limit.id),
    scopeId: scopeId === null || kind === 'tenant' ? null : formatId(kind, scopeId),
    amount: shownAmount(of, inner),
  };
}

/** A new limit with inside ids; 400 for a scope id that is none. */
export function innerLimit(body: Static<typeof newLimitSchema>): NewLimit {
  const { scopeId: outside = null } = body;
  const scopeId = outside === null || body.scope === 'tenant' ? outside : parseId(body.scope, outside);
  if (scopeId === undefined)
    throw invalidInput('/scopeId', `is not the id of ${body.scope === 'key' ? 'a key' : 'an agent'}`);
  return { ...body, scopeId };
}

/** A filter with inside ids; one that cannot be read finds nothing. */
export function innerFilter({ scopeId, ...filter }: LimitFilter): LimitFilter {
  if (scopeId === undefined) return filter;
  const nobody = '00000000-0000-0000-0000-000000000000';
  return { ...filter, scopeId: parseId('key', scopeId) ?? parseId('agent', scopeId) ?? nobody };
}
