import type { Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Statement, Tx } from '#kernel/database';
import type { RateDecision } from '#kernel/front-door';
import { newId } from '#kernel/ids';
import { type Page, pageOf } from '#kernel/pages';
import { invalidInput, notFound, Problem } from '#kernel/problem';
import type { Snapshot } from '#kernel/snapshot';

import type { LeaseBook } from './lease-book.ts';
import { chargeLeases, endedLeases } from './lease-store.ts';
import {
  type LimitResource,
  type LimitScope,
  type LimitWindow,
  type Subjects,
  type TenantLimits,
  windowOf,
  windowsOf,
} from './limits.ts';
import { problems } from './problems.ts';
import type { RequestRates } from './request-rates.ts';
import type { Amounts, LeaseCharge, Reservation } from './reservation.ts';
import { readAmount, shownAmount } from './shown-amount.ts';
import {
  deleteLimit,
  insertLimit,
  type LimitFilter,
  type LimitRow,
  readLimitForUpdate,
  readLimitPage,
  readStandings,
  writeLimit,
} from './store.ts';
import { shownLimit, tellLimit } from './tell-limit.ts';

/** What sets a limit. `amount` is a decimal string: whole for all but money. */
export type NewLimit = {
  scope: LimitScope;
  scopeId: string | null;
  resource: LimitResource;
  window: LimitWindow;
  amount: string;
  burst?: number | null;
  enabled?: boolean;
};

/** What of a limit can be changed. */
export type LimitChange = { amount?: string; burst?: number | null; enabled?: boolean };

/** A limit and where it stands in its present window; amounts as decimal strings. */
export type LimitStanding = LimitRow & {
  used: string;
  /** Held by nodes for calls under way and those that come next. */
  reserved: string;
  remaining: string;
  resetsAt: string | null;
};

/** Who asks: operators set every limit, a tenant those of its keys and agents. */
export type Area = 'tenant' | 'platform';

/** What may be used: limits of tenants, keys and agents, reserved before a call and settled after it. */
export class QuotaManager {
  readonly #db: Doors;
  readonly #clock: Clock;
  readonly #limits: Snapshot<TenantLimits>;
  readonly #book: LeaseBook;
  readonly #rates: RequestRates;
  readonly #zoneOf: (tenantId: string) => string | undefined;

  constructor(deps: {
    db: Doors;
    clock: Clock;
    limits: Snapshot<TenantLimits>;
    book: LeaseBook;
    rates: RequestRates;
    /** A tenant's time zone; undefined for an unknown tenant. */
    zoneOf: (tenantId: string) => string | undefined;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#limits = deps.limits;
    this.#book = deps.book;
    this.#rates = deps.rates;
    this.#zoneOf = deps.zoneOf;
  }

  /**
   * Reserves under all limits that count the subjects, or under none. At once when warm; else a promise for at most 250 ms. Throws
   * (or rejects with) 402 `budget-spent`, 429 `budget-reserved` or `concurrency-limited`, 503 while the database is away and nothing is leased.
   */
  reserve(subjects: Subjects, amounts: Amounts): Reservation | Promise<Reservation> {
    return this.#book.reserve(subjects, amounts);
  }

  /** Takes one request from the requests-per-second limits; undefined when there are none. */
  takeRequest(subjects: Subjects): RateDecision | undefined {
    const limits = this.#limits.get(subjects.tenantId)?.of(subjects);
    return limits === undefined ? undefined : this.#rates.take(limits);
  }

  /** Takes one request from an agent's own requests-per-second limits; the door took its caller's. Throws 429 `rate-limited`. */
  takeAgentRequest(tenantId: string, agentId: string): void {
    const limits = this.#limits.get(tenantId)?.of({ tenantId, agentId }) ?? [];
    const problem = this.#rates.take(limits.filter(({ scope }) => scope === 'agent'))?.problem;
    if (problem !== undefined) throw problem;
  }

  /** Whether tokens or money of the subjects are limited. */
  limited(subjects: Subjects): { tokens: boolean; money: boolean } {
    const found = { tokens: false, money: false };
    for (const { resource } of this.#limits.get(subjects.tenantId)?.of(subjects) ?? []) {
      if (resource === 'tokens' || resource === 'money') found[resource] = true;
    }
    return found;
  }

  /** Counts what calls used, in the transaction that commits their rows. */
  charge(charges: readonly LeaseCharge[]): Statement {
    return chargeLeases(charges);
  }

  /** Those of the leases that have run out: what is charged to them is counted all the same, but comes late. */
  leasesGone(tx: Tx, leaseIds: readonly string[]): Promise<ReadonlySet<string>> {
    return endedLeases(tx, leaseIds);
  }

  /** Sets a limit. 409 when there is one of this scope, resource and window; 403 for a tenant's own limits unless an operator asks. */
  async setQuota(tenantId: string, input: NewLimit, area: Area, cause: Cause): Promise<LimitStanding> {
    if (!windowsOf[input.resource].includes(input.window)) {
      throw invalidInput('/window', `must be ${windowsOf[input.resource].join(' or ')} for ${input.resource}`);
    }
    if ((input.scope === 'tenant') !== (input.scopeId === null)) {
      throw invalidInput('/scopeId', input.scope === 'tenant' ? 'is not taken for a tenant' : 'is needed');
    }
    allow(input.scope, area);
    const now = this.#clock.now().toString();
    const limit: LimitRow = {
      id: newId(),
      tenantId,
      scope: input.scope,
      scopeId: input.scopeId,
      resource: input.resource,
      window: input.window,
      amount: amountOf(input.resource, input.amount),
      burst: burstOf(input.resource, input.burst),
      enabled: input.enabled ?? true,
      createdAt: now,
      updatedAt: now,
    };
    await this.#change(tenantId, area, async (tx) => {
      if (!(await insertLimit(tx, limit))) throw new Problem(problems.exists);
      await tellLimit(tx, 'created', limit, { after: shownLimit(limit) }, cause, this.#clock.now());
    });
    return this.#standing(limit, area);
  }

  /** Changes a limit in mid-flight: visible on every node within a second; leases above a lowered amount come back. 404, 403. */
  async updateQuota(
    tenantId: string,
    id: string,
    change: LimitChange,
    area: Area,
    cause: Cause,
  ): Promise<LimitStanding> {
    const limit = await this.#change(tenantId, area, async (tx) => {
      const before = await this.#find(tx, tenantId, id, area);
      const after: LimitRow = {
        ...before,
        amount: change.amount === undefined ? before.amount : amountOf(before.resource, change.amount),
        burst: change.burst === undefined ? before.burst : burstOf(before.resource, change.burst),
        enabled: change.enabled ?? before.enabled,
        updatedAt: this.#clock.now().toString(),
      };
      await writeLimit(tx, after);
      const data = { before: shownLimit(before), after: shownLimit(after) };
      await tellLimit(tx, 'updated', after, data, cause, this.#clock.now());
      return after;
    });
    return this.#standing(limit, area);
  }

  /** Takes a limit away. 404, 403. */
  async deleteQuota(tenantId: string, id: string, area: Area, cause: Cause): Promise<void> {
    await this.#change(tenantId, area, async (tx) => {
      const before = await this.#find(tx, tenantId, id, area);
      await deleteLimit(tx, tenantId, id);
      await tellLimit(tx, 'deleted', before, { before: shownLimit(before) }, cause, this.#clock.now());
    });
  }

  /** The tenant's limits with where each stands. */
  async getUsage(
    tenantId: string,
    filter: LimitFilter,
    after: string | undefined,
    limit: number,
    area: Area = 'tenant',
  ): Promise<Page<LimitStanding>> {
    return this.#change(tenantId, area, async (tx) => {
      const page = pageOf(await readLimitPage(tx, tenantId, filter, after, limit), limit, ({ id }) => [id]);
      return { ...page, data: await this.#withStandings(tx, tenantId, page.data) };
    });
  }

  /** Whether a call of these subjects that uses so much would be let in, without reserving: the first limit in its way, if any. */
  async checkQuota(
    subjects: Subjects,
    amounts: Amounts,
  ): Promise<{ allowed: boolean; limit: LimitStanding | undefined }> {
    const counted = new Set((this.#limits.get(subjects.tenantId)?.of(subjects) ?? []).map(({ id }) => id));
    const { data } = await this.getUsage(subjects.tenantId, {}, undefined, 10_000);
    const limit = data.find((each) => {
      if (!counted.has(each.id) || each.resource === 'requests') return false;
      const amount = each.resource === 'concurrency' ? 1 : Number(amounts[each.resource]);
      return amount > (readAmount(each.resource, each.remaining) ?? 0);
    });
    return { allowed: limit === undefined, limit };
  }

  async #standing(limit: LimitRow, area: Area): Promise<LimitStanding> {
    const [standing] = await this.#change(limit.tenantId, area, (tx) =>
      this.#withStandings(tx, limit.tenantId, [limit]),
    );
    return standing as LimitStanding;
  }

  async #withStandings(tx: Tx, tenantId: string, limits: readonly LimitRow[]): Promise<LimitStanding[]> {
    const now = this.#clock.now();
    const windows = new Map(limits.map((limit) => [limit.id, windowOf(limit, now, this.#zoneOf(tenantId) ?? 'UTC')]));
    const standings = await readStandings(
      tx,
      tenantId,
      [...windows].map(([limitId, { start, end }]) => ({ limitId, start: start.toString(), end: end.toString() })),
    );
    const found = new Map(standings.map((standing) => [standing.limitId, standing]));
    return limits.map((limit) => {
      const { used, held } = found.get(limit.id) ?? { used: 0, held: 0 };
      const end = windows.get(limit.id)?.end;
      return {
        ...limit,
        used: shownAmount(limit.resource, used),
        reserved: shownAmount(limit.resource, held),
        remaining: shownAmount(limit.resource, Math.max(0, limit.amount - used)),
        resetsAt: limit.window === 'day' || limit.window === 'month' ? (end?.toString() ?? null) : null,
      };
    });
  }

  async #find(tx: Tx, tenantId: string, id: string, area: Area): Promise<LimitRow> {
    const limit = await readLimitForUpdate(tx, tenantId, id);
    if (limit === undefined) throw notFound('limit');
    allow(limit.scope, area);
    return limit;
  }

  async #change<T>(tenantId: string, area: Area, work: (tx: Tx) => Promise<T>): Promise<T> {
    if (area === 'platform' && this.#zoneOf(tenantId) === undefined) throw notFound('tenant');
    return area === 'platform' ? this.#db.forPlatform(work) : this.#db.forTenant(tenantId, work);
  }
}

function allow(scope: LimitScope, area: Area): void {
  if (scope === 'tenant' && area === 'tenant') throw new Problem(problems.operatorsOnly);
}

function amountOf(resource: LimitResource, text: string): number {
  const amount = readAmount(resource, text);
  if (amount === undefined) {
    throw invalidInput(
      '/amount',
      resource === 'money'
        ? 'must be a decimal of at most 9000000000'
        : 'must be a whole number of at most 9000000000000000',
    );
  }
  return amount;
}

function burstOf(resource: LimitResource, burst: number | null | undefined): number | null {
  if (burst === undefined || burst === null) return null;
  if (resource !== 'requests') throw invalidInput('/burst', 'is for requests only');
  return burst;
}
