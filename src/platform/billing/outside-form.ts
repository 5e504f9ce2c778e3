import type { Static } from 'typebox';

import { formatId, type IdKind, isUuid, parseId } from '#kernel/ids';
import { type Decimal, formatAmount, parseDecimal, subtract } from '#kernel/money';
import { invalidInput, Problem, type ProblemPlace, problems } from '#kernel/problem';

import type { UpcomingInvoice } from './billing-system.ts';
import type { InvoiceLine } from './compose-invoice.ts';
import type { InvoiceRow } from './invoice-store.ts';
import type { SubscribedPlan } from './plan-manager.ts';
import type { AgentName, MarginSum } from './ports.ts';
import type { Price, Tier } from './price.ts';
import type { PlanPrice } from './rate-usage.ts';
import type {
  changedPricesSchema,
  marginsSchema,
  planSchema,
  platformInvoiceSchema,
  subscribedPlanSchema,
  upcomingInvoiceSchema,
} from './schemas.ts';
import type { PlanRow } from './store.ts';

type PriceBody = Static<typeof changedPricesSchema>[number];

/** Dimensions whose values are ids. */
const idDimensions: Readonly<Record<string, IdKind>> = { agent: 'agent', key: 'key' };

/** Members of a price by its model: [needed, allowed]. */
const members: Readonly<Record<Price['model'], readonly [readonly string[], readonly string[]]>> = {
  per_unit: [['unit'], []],
  package: [['unit', 'per'], ['roundUp']],
  graduated: [['tiers'], ['flatAtZero']],
  volume: [['tiers'], ['flatAtZero']],
};

/** The prices of a plan from a body; 400 with the places of ids that cannot be read and of members that a price's model has not. */
export function readPrices(bodies: readonly PriceBody[]): (Omit<PlanPrice, 'id'> & { id?: string })[] {
  const places: ProblemPlace[] = [];
  const prices = bodies.map(({ id, where, price, ...rest }, index) => {
    const at = `/prices/${index}`;
    const [needed, allowed] = members[price.model];
    for (const name of needed)
      if (!(name in price)) places.push({ pointer: `${at}/price/${name}`, detail: 'is needed' });
    for (const name of Object.keys(price)) {
      if (!['model', 'included', ...needed, ...allowed].includes(name))
        places.push({ pointer: `${at}/price/${name}`, detail: `is no member of a ${price.model} price` });
    }
    const uuid = id === undefined ? undefined : parseId('price', id);
    if (id !== undefined && uuid === undefined)
      places.push({ pointer: `${at}/id`, detail: 'is not the id of a price' });
    return {
      ...rest,
      ...(uuid === undefined ? {} : { id: uuid }),
      ...(where === undefined ? {} : { where: readConditions(where, `${at}/where`) }),
      price: (price.model === 'package' ? { roundUp: false, ...price } : price) as Price,
    };
  });
  if (places.length > 0) throw new Problem(problems.invalid, { detail: 'The plan cannot be read.', errors: places });
  return prices;
}

/** A plan in its outside form. */
export function shownPlan(plan: PlanRow): Static<typeof planSchema> {
  return {
    ...plan,
    id: formatId('plan', plan.id),
    prices: plan.prices.map(({ id, where, groupBy, price, meter }) => ({
      id: formatId('price', id),
      meter,
      ...(where === undefined ? {} : { where: mapValues(where, shownCondition) }),
      ...(groupBy === undefined ? {} : { groupBy: [...groupBy] }),
      price: 'tiers' in price ? { ...price, tiers: price.tiers.map((tier: Tier) => ({ ...tier })) } : price,
    })),
  };
}

/** A tenant's plan in its outside form. */
export function shownSubscription({ subscription, plan }: SubscribedPlan): Static<typeof subscribedPlanSchema> {
  return {
    subscriptionId: formatId('subscription', subscription.id),
    from: subscription.fromAt,
    until: subscription.untilAt,
    plan: shownPlan(plan),
  };
}

/** An upcoming invoice in its outside form, with what else it carries. */
export function shownUpcoming<I extends UpcomingInvoice>(
  invoice: I,
): Omit<I, 'period' | 'lines' | 'unpriced'> & Static<typeof upcomingInvoiceSchema> {
  const { period, lines, unpriced, ...rest } = invoice;
  return {
    ...rest,
    status: 'upcoming',
    periodStart: period.start.toString(),
    periodEnd: period.end.toString(),
    lines: lines.map(shownLine),
    unpriced: unpriced.map((sum) => ({ ...sum, dimensions: mapValues(sum.dimensions, shownValue) })),
  };
}

/** A final invoice in its outside form. */
export function shownInvoice(row: InvoiceRow): Static<typeof platformInvoiceSchema> {
  return {
    ...row,
    id: formatId('invoice', row.id),
    tenantId: formatId('tenant', row.tenantId),
    status: 'final',
    total: formatAmount(parseDecimal(row.total), row.currency),
    lines: row.lines.map(shownLine),
  };
}

/** A row of margins in its outside form, with its agent's name. */
export function shownMargin(sum: MarginSum, agentName: AgentName): Static<typeof marginsSchema>['data'][number] {
  const amount = (of: Decimal) => formatAmount(of, sum.currency);
  const [price, cost] = [parseDecimal(sum.price), parseDecimal(sum.cost)];
  return {
    tenantId: formatId('tenant', sum.tenantId),
    agentId: sum.agentId === null ? null : shownValue('agent', sum.agentId),
    agentName: sum.agentId === null ? null : (agentName(sum.tenantId, sum.agentId) ?? null),
    currency: sum.currency,
    price: amount(price),
    cost: amount(cost),
    margin: amount(subtract(price, cost)),
  };
}

function shownLine(line: InvoiceLine) {
  return {
    ...line,
    plan: { ...line.plan, id: formatId('plan', line.plan.id) },
    priceId: line.priceId === null ? null : formatId('price', line.priceId),
    dimensions: mapValues(line.dimensions, shownValue),
    tiers: line.tiers.map((tier) => ({ ...tier })),
  };
}

function shownValue(name: string, value: string): string {
  const kind = idDimensions[name];
  return kind !== undefined && isUuid(value) ? formatId(kind, value) : value;
}

function shownCondition(name: string, wanted: string | readonly string[]): string | string[] {
  return typeof wanted === 'string' ? shownValue(name, wanted) : wanted.map((value) => shownValue(name, value));
}

function readConditions(where: NonNullable<PriceBody['where']>, at: string): NonNullable<PlanPrice['where']> {
  const read = (name: string, value: string) => {
    const kind = idDimensions[name];
    const inside = kind === undefined ? value : parseId(kind, value);
    if (inside === undefined)
      throw invalidInput(`${at}/${name}`, `is not the id of a${kind === 'agent' ? 'n' : ''} ${kind}`);
    return inside;
  };
  return mapValues(where, (name, wanted: string | string[]) =>
    typeof wanted === 'string' ? read(name, wanted) : wanted.map((value) => read(name, value)),
  );
}

function mapValues<V, R>(record: Readonly<Record<string, V>>, to: (name: string, value: V) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, to(name, value)]));
}
