import Type, { type TSchema } from 'typebox';

import { DECIMAL_PATTERN } from '#kernel/money';

import type { Price } from './price.ts';

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const strict = { additionalProperties: false };
const text = Type.String();
const decimal = Type.String({ pattern: DECIMAL_PATTERN });
// Nine digits before the point and no fraction of a unit to divide by: the price of a call stays within what money can hold.
const unitPattern = '^-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,12})?$';
const perPattern = '^[1-9][0-9]{0,11}(\\.[0-9]{1,12})?$';
const amountPattern = '^-?(0|[1-9][0-9]{0,11})(\\.[0-9]{1,12})?$';
const words = Type.Record(text, text);
const dimension = Type.String({ pattern: '^[a-z][a-zA-Z0-9_]{0,39}$' });
const value = Type.String({ minLength: 1, maxLength: 200 });

const tier = Type.Object(
  {
    upTo: nullable(decimal),
    unit: Type.String({ pattern: unitPattern }),
    per: Type.Optional(Type.String({ pattern: perPattern })),
    roundUp: Type.Optional(Type.Boolean()),
    flat: Type.Optional(Type.String({ pattern: amountPattern })),
  },
  strict,
);

// One object, not a union: a wrong member is pointed at by name instead of by "none of four schemas".
const price = Type.Object(
  {
    model: Type.Unsafe<Price['model']>({ type: 'string', enum: ['per_unit', 'package', 'graduated', 'volume'] }),
    included: Type.Optional(Type.String({ pattern: DECIMAL_PATTERN, description: 'Free units per month.' })),
    unit: Type.Optional(Type.String({ pattern: unitPattern, description: 'Of per_unit and package.' })),
    per: Type.Optional(Type.String({ pattern: perPattern, description: 'Of package: `1000000` for tokens.' })),
    roundUp: Type.Optional(Type.Boolean({ description: 'Of package: a begun package is a whole one.' })),
    tiers: Type.Optional(Type.Array(tier, { minItems: 1, maxItems: 50, description: 'Of graduated and volume.' })),
    flatAtZero: Type.Optional(Type.Boolean()),
  },
  strict,
);

const planPrice = {
  meter: Type.String({
    pattern: '^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+$',
    maxLength: 120,
    description: 'Usage type and quantity: `model.call.input_tokens`, `agent.run.runs`.',
  }),
  where: Type.Optional(
    Type.Record(dimension, Type.Union([value, Type.Array(value, { minItems: 1, maxItems: 200 })]), {
      description: 'Only usage with these dimensions; the price with the most conditions holds.',
    }),
  ),
  groupBy: Type.Optional(Type.Array(dimension, { maxItems: 5, description: 'A line for each of their values.' })),
  price,
};
const newPrices = Type.Array(Type.Object(planPrice, strict), { maxItems: 1000 });
/** Prices of a new version: one that goes on keeps its id. */
export const changedPricesSchema = Type.Array(
  Type.Object(
    { id: Type.Optional(Type.String({ description: 'That of the price in the version before.' })), ...planPrice },
    strict,
  ),
  { maxItems: 1000 },
);
const name = Type.String({ minLength: 1, maxLength: 120, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
const currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217.' });
const recurringFee = nullable(Type.String({ pattern: amountPattern, description: 'Per month, not prorated.' }));
const isDefault = Type.Boolean({ description: 'New tenants of its currency get it.' });

/** What makes a plan. */
export const newPlanSchema = Type.Object(
  {
    name,
    currency,
    prices: newPrices,
    recurringFee: Type.Optional(recurringFee),
    isDefault: Type.Optional(isDefault),
  },
  strict,
);

/** What makes a new version of a plan. */
export const planChangeSchema = Type.Object(
  {
    name: Type.Optional(name),
    prices: Type.Optional(changedPricesSchema),
    recurringFee: Type.Optional(recurringFee),
    isDefault: Type.Optional(isDefault),
    appliesTo: Type.Optional(
      Type.Unsafe<'all' | 'new'>({
        type: 'string',
        enum: ['all', 'new'],
        default: 'all',
        description: 'all: the tenants on the plan too, from now on; new: only those who come to it later.',
      }),
    ),
  },
  strict,
);

const shownPrice = Type.Object({
  id: text,
  meter: text,
  where: Type.Optional(Type.Record(text, Type.Union([text, Type.Array(text)]))),
  groupBy: Type.Optional(Type.Array(text)),
  price: Type.Object({ ...price.properties, tiers: Type.Optional(Type.Array(Type.Object(tier.properties))) }),
});
const planMembers = {
  id: text,
  version: Type.Integer(),
  name: text,
  currency: text,
  recurringFee: nullable(text),
  prices: Type.Array(shownPrice),
  createdAt: Type.String({ description: 'Of this version.' }),
};

/** A plan in its newest version, as operators see it. */
export const planSchema = Type.Object({ ...planMembers, demo: Type.Boolean(), isDefault: Type.Boolean() });

/** The plan that a tenant is on. */
export const subscribedPlanSchema = Type.Object({
  subscriptionId: text,
  from: text,
  until: nullable(text),
  plan: Type.Object(planMembers),
});

/** What puts a tenant on a plan. */
export const subscriptionSchema = Type.Object({ planId: Type.String({ maxLength: 40 }) }, strict);

const ratedTier = Type.Object({
  from: text,
  upTo: nullable(text),
  quantity: text,
  unit: text,
  per: text,
  count: text,
  flat: text,
  amount: text,
});
const line = Type.Object({
  kind: Type.String({ enum: ['usage', 'late', 'recurring'] }),
  start: text,
  end: text,
  plan: Type.Object({ id: text, version: Type.Integer(), name: text }),
  priceId: nullable(text),
  meter: nullable(text),
  dimensions: words,
  quantity: text,
  included: text,
  billable: text,
  unitPrice: Type.Union([text, Type.Null()], { description: 'null: several rates took part, see tiers.' }),
  per: nullable(text),
  tiers: Type.Array(ratedTier),
  before: Type.Union([Type.Object({ quantity: text, amount: text }), Type.Null()], {
    description: 'Rated before under the same price; tiers are those of both together.',
  }),
  exactAmount: text,
  amount: text,
  listAmount: text,
});
const invoiceMembers = {
  status: Type.String({ enum: ['upcoming', 'final'] }),
  periodStart: text,
  periodEnd: text,
  timeZone: text,
  currency: text,
  total: text,
  lines: Type.Array(line),
};
const unpriced = Type.Array(Type.Object({ type: text, dimensions: words, quantities: words }), {
  description: 'Usage of which the plan prices nothing.',
});

/** The invoice of the running month. */
export const upcomingInvoiceSchema = Type.Object({ ...invoiceMembers, unpriced });

/** The same with what sets it apart from the calls' list prices. */
export const explainedInvoiceSchema = Type.Object({
  ...invoiceMembers,
  unpriced,
  explained: Type.Object({
    listTotal: Type.String({ description: 'Sum of the list prices on the calls of the period.' }),
    difference: Type.String({ description: 'total − listTotal, the sum of parts.' }),
    parts: Type.Object({
      includedAndTiers: text,
      rounding: text,
      recurringFees: text,
      late: text,
      otherPrices: Type.String({ description: 'Calls that were made under another price or under none.' }),
    }),
    otherCurrencies: words,
  }),
});

const finalMembers = { id: text, number: Type.Integer(), ...invoiceMembers, finalisedAt: text };

/** A final invoice. */
export const invoiceSchema = Type.Object(finalMembers);

/** A final invoice as operators see it. */
export const platformInvoiceSchema = Type.Object({ tenantId: text, demo: Type.Boolean(), ...finalMembers });

/** Price, cost and margin by tenant, agent and currency. */
export const marginsSchema = Type.Object({
  from: text,
  to: text,
  data: Type.Array(
    Type.Object({
      tenantId: text,
      agentId: nullable(text),
      agentName: nullable(Type.String({ description: 'Null without an agent, and when it was deleted.' })),
      currency: text,
      price: Type.String({ description: 'Sum of list prices of live usage.' }),
      cost: Type.String({ description: 'What providers charge the platform, for test usage too.' }),
      margin: Type.String({ description: 'price − cost; another currency has its own row.' }),
    }),
  ),
});
