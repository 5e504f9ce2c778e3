import type { Period } from '#kernel/calendar';
import { becauseOf, type Cause, systemCause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import type { Logger } from '#kernel/logger';
import { type Page, pageOf } from '#kernel/pages';
import { notFound, Problem } from '#kernel/problem';

import { type Composed, composeInvoice } from './compose-invoice.ts';
import { type Explained, explainInvoice } from './explain-invoice.ts';
import { type Gathered, gatherUsage } from './gather-usage.ts';
import { nextInvoicePeriod } from './invoice-period.ts';
import {
  eraseDemoInvoices,
  type InvoiceRow,
  insertInvoice,
  readBillingStates,
  readClock,
  readInvoice,
  readInvoices,
  readLastInvoice,
} from './invoice-store.ts';
import type { PlanManager, SubscribedPlan } from './plan-manager.ts';
import type { MarginSum, TenantFacts, TenantsPort, UsagePort } from './ports.ts';
import { problems } from './problems.ts';
import type { UsageTotal } from './rate-usage.ts';
import { splitUsage } from './split-usage.ts';

/** An invoice as it would be now. */
export type UpcomingInvoice = Composed & { readonly period: Period; readonly timeZone: string };

/** Who asks: a tenant through its own door, or the platform. */
type As = 'tenant' | 'platform';

/** Calls that run over the end of the month still come onto its invoice; what ends later is late usage of the next one. */
const graceMinutes = 15;

/** Bills: what was used, what it comes to, and the invoices of past months. */
export class BillingSystem {
  readonly #db: Doors;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #tenants: TenantsPort;
  readonly #usage: UsagePort;
  readonly #plans: PlanManager;

  constructor(deps: {
    db: Doors;
    clock: Clock;
    log: Logger;
    tenants: TenantsPort;
    usage: UsagePort;
    plans: PlanManager;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#tenants = deps.tenants;
    this.#usage = deps.usage;
    this.#plans = deps.plans;
  }

  /** Live usage of the running period as the meters of the tenant's plan count it. 409 `no-plan`. */
  async calculateUsage(tenantId: string, as: As = 'tenant'): Promise<UsageTotal[]> {
    const { current } = await this.#gather(this.#tenant(tenantId), as);
    return current.segments.flatMap(({ plan, usage }) => splitUsage(usage, plan.prices));
  }

  /** The next invoice as it would be now: of the running month, with late usage of the ones before. 409 `no-plan`. */
  async generateBill(tenantId: string, as: As = 'tenant'): Promise<UpcomingInvoice> {
    const tenant = this.#tenant(tenantId);
    const gathered = await this.#gather(tenant, as);
    return { ...composeInvoice(gathered), period: gathered.period, timeZone: tenant.timeZone };
  }

  /** Why the upcoming invoice is what it is, and what sets it apart from the list prices on the calls. */
  async explainBill(tenantId: string, as: As = 'tenant'): Promise<UpcomingInvoice & { explained: Explained }> {
    const tenant = this.#tenant(tenantId);
    const gathered = await this.#gather(tenant, as);
    const invoice = composeInvoice(gathered);
    return {
      ...invoice,
      period: gathered.period,
      timeZone: tenant.timeZone,
      explained: explainInvoice(invoice, gathered.sums),
    };
  }

  /**
   * Puts a tenant on a plan, from now on. A plan of another currency begins with the month that is running when nothing was used in it, else
   * with the next one: an invoice has one currency. 404 for an unknown plan or tenant.
   */
  async manageSubscription(tenantId: string, planId: string, cause: Cause): Promise<SubscribedPlan> {
    const tenant = this.#tenant(tenantId);
    const plan = await this.#plans.getPlan(planId);
    const subscribed = await this.#plans.subscriptionsOf(tenantId, 'platform');
    const now = this.#clock.now();
    const same = subscribed.at(-1)?.plan.currency === plan.currency;
    const from = same || subscribed.length === 0 ? now : await this.#currencyChangeAt(tenant, subscribed);
    return this.#plans.subscribe(tenant, planId, from, cause);
  }

  /** Puts a tenant whose currency was changed on the default plan of the new one, unless it is on a plan in it. */
  async followCurrency(
    tenantId: string,
    { currency, demo }: { currency: string; demo: boolean },
    cause: Cause,
  ): Promise<void> {
    const subscribed = await this.#plans.subscriptionsOf(tenantId, 'platform');
    if (subscribed.length === 0 || subscribed.at(-1)?.plan.currency === currency) return;
    await this.manageSubscription(tenantId, await this.#plans.ensureDefaultPlan(currency, demo, cause), cause);
  }

  /** The plan that a tenant is on now. 409 `no-plan`, 404 for an unknown tenant. */
  async currentPlan(tenantId: string, as: As = 'tenant'): Promise<SubscribedPlan> {
    if (as === 'platform') this.#tenant(tenantId);
    const subscribed = await this.#plans.subscriptionsOf(tenantId, as);
    const now = this.#clock.now().epochMilliseconds;
    const inForce = subscribed.findLast(({ subscription }) => Date.parse(subscription.fromAt) <= now) ?? subscribed[0];
    if (inForce === undefined) throw new Problem(problems.noPlan);
    return inForce;
  }

  /** Final invoices of a tenant, newest first. */
  async listInvoices(tenantId: string, before: string | undefined, limit: number): Promise<Page<InvoiceRow>> {
    const filter = { tenantId, includeDemo: true };
    const rows = await this.#db.forTenant(tenantId, (tx) => readInvoices(tx, filter, before, limit));
    return pageOf(rows, limit, ({ id }) => [id]);
  }

  /** Final invoices of all tenants or one. */
  async listAllInvoices(
    filter: { tenantId?: string; includeDemo: boolean },
    before: string | undefined,
    limit: number,
  ): Promise<Page<InvoiceRow>> {
    const rows = await this.#db.forPlatform((tx) => readInvoices(tx, filter, before, limit));
    return pageOf(rows, limit, ({ id }) => [id]);
  }

  /** A final invoice of a tenant; 404. */
  async getInvoice(tenantId: string, id: string): Promise<InvoiceRow> {
    const invoice = await this.#db.forTenant(tenantId, (tx) => readInvoice(tx, tenantId, id));
    if (invoice === undefined) throw notFound('invoice');
    return invoice;
  }

  /** Price and cost by tenant, agent and currency. */
  margins(filter: Parameters<UsagePort['margins']>[0]): Promise<readonly MarginSum[]> {
    return this.#usage.margins(filter);
  }

  /**
   * Finalises every month that is over in its tenant's zone; returns how many. One tenant's failure is logged and keeps no other waiting.
   * May run anywhere, at any time and at once: a month has one invoice.
   */
  async finaliseDue(): Promise<number> {
    const now = await this.#agreedNow();
    const states = await this.#db.forPlatform(readBillingStates);
    let finalised = 0;
    for (const { tenantId, ...state } of states) {
      try {
        const tenant = this.#tenants.get(tenantId);
        if (tenant === undefined || tenant.status === 'deleted') continue;
        let { end } = nextInvoicePeriod(state, tenant.timeZone);
        while (isOver(end, now)) {
          if (await this.#finalise(tenant, now)) finalised++;
          end = nextInvoicePeriod({ ...state, lastEnd: end.toString() }, tenant.timeZone).end;
        }
      } catch (error) {
        this.#log.error({ err: error, tenantId }, 'an invoice could not be finalised; it is tried again');
      }
    }
    return finalised;
  }

  /**
   * Makes the last invoices of a tenant whose usage is about to be erased: of the months that are over, and of the running one as far as it
   * was used. A demo tenant, whose invoices go too, gets none.
   */
  async settle(tenantId: string): Promise<void> {
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined || tenant.demo) return;
    if ((await this.#plans.subscriptionsOf(tenantId, 'platform')).length === 0) return;
    const now = await this.#agreedNow();
    while (await this.#finalise(tenant, now, 'what was used'));
  }

  /** Deletes the invoices of a demo tenant that was erased; those of real ones are kept. */
  forgetDemo(tenantId: string): Promise<void> {
    return this.#db.forPlatform((tx) => eraseDemoInvoices(tx, tenantId));
  }

  async #finalise(
    tenant: TenantFacts,
    agreed: Temporal.Instant,
    wanted: 'what is over' | 'what was used' = 'what is over',
  ): Promise<boolean> {
    const gathered = await this.#gather(tenant, 'platform');
    const { period, counted, sums, late } = gathered;
    const used = wanted === 'what was used' && sums.length + late.length > 0;
    // Another process may have finalised it since.
    if (!isOver(period.end, agreed) && !used) return false;
    const { currency, lines, total } = composeInvoice(gathered);
    const now = this.#clock.now();
    const id = newId();
    return this.#db.forPlatform(async (tx) => {
      const number = await insertInvoice(tx, {
        tenantId: tenant.id,
        id,
        periodStart: period.start.toString(),
        periodEnd: period.end.toString(),
        timeZone: tenant.timeZone,
        currency,
        total,
        lines: [...lines],
        counted,
        demo: tenant.demo,
        finalisedAt: now.toString(),
      });
      if (number === undefined) return false;
      const start = period.start.toString();
      const end = period.end.toString();
      await append(
        tx,
        {
          ...becauseOf(systemCause('billing')),
          tenantId: tenant.id,
          type: 'billing.invoice.finalised',
          subject: { kind: 'invoice', id, name: String(number) },
          data: { number, start, end, total, currency, lines: lines.length },
          demo: tenant.demo,
        },
        now,
      );
      return true;
    });
  }

  /** The earlier of this machine's present and the database's: nobody takes an invoice back that a clock ahead has made of a month to come. */
  async #agreedNow(): Promise<Temporal.Instant> {
    const [own, database] = [this.#clock.now(), await this.#db.forPlatform(readClock)];
    return Temporal.Instant.compare(own, database) < 0 ? own : database;
  }

  async #gather(tenant: TenantFacts, as: As): Promise<Gathered> {
    const subscribed = await this.#plans.subscriptionsOf(tenant.id, as);
    const read = (tx: Tx) => readLastInvoice(tx, tenant.id);
    const last = await (as === 'tenant' ? this.#db.forTenant(tenant.id, read) : this.#db.forPlatform(read));
    return gatherUsage({ tenant, subscribed, last, usage: this.#usage, log: this.#log });
  }

  async #currencyChangeAt(tenant: TenantFacts, subscribed: readonly SubscribedPlan[]): Promise<Temporal.Instant> {
    const { period } = await this.#gather(tenant, 'platform');
    const now = this.#clock.now();
    const used = await this.#usage.count(tenant.id, period.start.toString(), now.toString());
    if (used === 0) return period.start;
    let { end } = period;
    const firstFrom = (subscribed[0] as SubscribedPlan).subscription.fromAt;
    while (Temporal.Instant.compare(end, now) <= 0)
      end = nextInvoicePeriod({ lastEnd: end.toString(), firstFrom }, tenant.timeZone).end;
    return end;
  }

  #tenant(id: string): TenantFacts {
    const tenant = this.#tenants.get(id);
    if (tenant === undefined || tenant.status === 'deleted') throw notFound('tenant');
    return tenant;
  }
}

function isOver(end: Temporal.Instant, now: Temporal.Instant): boolean {
  return Temporal.Instant.compare(end.add({ minutes: graceMinutes }), now) <= 0;
}
