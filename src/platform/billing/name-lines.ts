import type { Doors } from '#kernel/database';
import { parseDecimal, ZERO } from '#kernel/money';
import type { NamedLines, NameLines } from '#metering';

import { nextInvoicePeriod } from './invoice-period.ts';
import { readInvoiceAt, readLastInvoice } from './invoice-store.ts';
import type { PlanManager } from './plan-manager.ts';
import type { TenantsPort } from './ports.ts';
import { priceFor } from './rate-usage.ts';
import { splitUsage } from './split-usage.ts';

/**
 * Names the invoice that usage of an instant is on, or will be on, and its lines; null when the tenant is on no plan. `late`: found after
 * its month may have been closed, so that the next invoice has it.
 */
export async function nameLines(
  deps: { db: Pick<Doors, 'forTenant'>; plans: Pick<PlanManager, 'subscriptionsOf'>; tenants: TenantsPort },
  { tenantId, at, late, usage }: Parameters<NameLines>[0],
): Promise<NamedLines | null> {
  const subscribed = await deps.plans.subscriptionsOf(tenantId, 'tenant');
  const [first] = subscribed;
  if (first === undefined) return null;
  const { plan } =
    subscribed.findLast(({ subscription }) => Date.parse(subscription.fromAt) <= Date.parse(at)) ?? first;
  const lines = new Map<string, { priceId: string; meter: string }>();
  for (const { meter, dimensions, quantity } of splitUsage(usage, plan.prices)) {
    const price = parseDecimal(quantity) === ZERO ? undefined : priceFor(plan.prices, meter, dimensions);
    if (price !== undefined) lines.set(price.id, { priceId: price.id, meter });
  }
  const named = { plan: plan.name, lines: [...lines.values()] };
  const [last, invoice] = await deps.db.forTenant(tenantId, async (tx) => [
    await readLastInvoice(tx, tenantId),
    late ? undefined : await readInvoiceAt(tx, tenantId, at),
  ]);
  if (invoice !== undefined) return { ...named, ...invoice, status: 'final' };
  const zone = deps.tenants.get(tenantId)?.timeZone ?? 'UTC';
  const state = { lastEnd: last?.periodEnd ?? null, firstFrom: first.subscription.fromAt };
  const { start, end } = nextInvoicePeriod(state, zone);
  return { ...named, id: null, status: 'upcoming', periodStart: start.toString(), periodEnd: end.toString() };
}
