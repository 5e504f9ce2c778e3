import { type Cause, systemCause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import { repeat } from '#kernel/repeat';
import type { Snapshots } from '#kernel/snapshot';
import type { NameLines } from '#metering';

import { BillingSystem } from './billing-system.ts';
import { CurrentPrices } from './current-prices.ts';
import { events } from './events.ts';
import { nameLines } from './name-lines.ts';
import { PlanManager } from './plan-manager.ts';
import type { AgentName, TenantsPort, UsagePort } from './ports.ts';
import { problems } from './problems.ts';
import { routes } from './routes.ts';
import { tables } from './tables.ts';

export type { BillingSystem } from './billing-system.ts';
export type { PlanManager } from './plan-manager.ts';
export type { UsagePort } from './ports.ts';

/** Billing's module with its services; `priceOf` and `listPrice` answer from memory. */
export type BillingModule = Module & {
  readonly billing: BillingSystem;
  readonly plans: PlanManager;
  readonly priceOf: CurrentPrices['priceOf'];
  readonly listPrice: CurrentPrices['listPrice'];
  /** The invoice that usage is on, or will be on, and its lines. */
  readonly linesOf: NameLines;
};

const finaliseEveryMs = 60_000;

/** Billing: plans, subscriptions, list prices, the running invoice and the final ones. `usage` is metering's, `tenants` tenancy's. */
export function createBillingModule(deps: {
  db: Doors;
  snapshots: Pick<Snapshots, 'define'>;
  clock: Clock;
  log: Logger;
  tenants: TenantsPort;
  usage: UsagePort;
  agentName: AgentName;
}): BillingModule {
  const prices = new CurrentPrices(deps);
  const plans = new PlanManager(deps);
  const billing = new BillingSystem({ ...deps, plans });
  return {
    name: 'billing',
    billing,
    plans,
    priceOf: (...call) => prices.priceOf(...call),
    listPrice: (...call) => prices.listPrice(...call),
    linesOf: (used) => nameLines({ ...deps, plans }, used),
    routes: routes(billing, plans, deps.agentName),
    tables,
    events,
    problems,
    permissions: [
      { name: 'invoices:read', risk: 'low', area: 'tenant' },
      { name: 'platform-plans:read', risk: 'low', area: 'platform' },
      { name: 'platform-plans:create', risk: 'medium', area: 'platform' },
      { name: 'platform-plans:update', risk: 'high', area: 'platform' },
      { name: 'platform-subscriptions:update', risk: 'high', area: 'platform' },
      { name: 'platform-invoices:read', risk: 'low', area: 'platform' },
      { name: 'platform-margins:read', risk: 'medium', area: 'platform' },
    ],
    subscribers: [
      {
        name: 'billing.tenants',
        types: ['tenancy.tenant.created', 'tenancy.tenant.updated', 'tenancy.tenant.deleted'],
        handle: async ({ type, tenantId, occurredAt, demo, data = {} }) => {
          const cause: Cause = systemCause('billing');
          if (type === 'tenancy.tenant.deleted') {
            await plans.forget(tenantId);
            if (demo === true) await billing.forgetDemo(tenantId);
          } else if (type === 'tenancy.tenant.created') {
            const { currency } = data['after'] as { currency: string };
            await plans.ensureSubscription({ id: tenantId, currency, demo: demo ?? false }, occurredAt, cause);
          } else if (type === 'tenancy.tenant.updated') {
            const { before, after } = data as Record<'before' | 'after', { currency: string; demo: boolean }>;
            if (before.currency !== after.currency) await billing.followCurrency(tenantId, after, cause);
          }
        },
      },
    ],
    migrations: new URL('./migrations/', import.meta.url),
    start: async (role) => {
      if (role !== 'background') return async () => undefined;
      await plans.ensureDefaultPlans(systemCause('billing'));
      return repeat(
        finaliseEveryMs,
        () => billing.finaliseDue(),
        (error) => deps.log.warn({ err: error }, 'no invoices finalised'),
      );
    },
  };
}
