import { becauseOf, type Cause, systemCause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import type { Logger } from '#kernel/logger';
import { type Page, pageOf } from '#kernel/pages';
import { invalidInput, notFound, Problem } from '#kernel/problem';
import type { Table } from '#kernel/tables';

import { checkSettings, isReservedSlug, slugOf } from './check-settings.ts';
import { eraseTenant } from './erase-tenant.ts';
import { problems } from './problems.ts';
import {
  beginErasure,
  insertTenant,
  readDeleted,
  readDueDeletions,
  readTenant,
  readTenants,
  type TenantChange,
  type TenantFilter,
  type TenantRow,
  type TenantStatus,
  writeTenant,
} from './store.ts';

/** The tenant whose users are the platform's operators. */
export const platformTenantId = '00000000-0000-7000-8000-000000000001';

/** What a new tenant is made of; a slug is made from the name when none is given. */
export type NewTenant = {
  name: string;
  slug?: string;
  locale?: string;
  timeZone?: string;
  currency?: string;
  demo?: boolean;
  staleGraceSeconds?: number | null;
};

/** Settings that can be changed; the currency and the time of stale grace by operators only. */
export type TenantSettings = Partial<
  Pick<TenantRow, 'name' | 'locale' | 'timeZone' | 'currency' | 'staleGraceSeconds'>
>;

/** Gives a new tenant what it must never be without, in the transaction that makes it: modules above tenancy plug it in. */
export type Provision = (tx: Tx, tenant: TenantRow, cause: Cause) => Promise<void>;

/** Does what needs a tenant's rows before they are erased; should it fail, they stay until it succeeds. */
export type Settle = (tenantId: string) => Promise<void>;

/** The life of tenants: create, change, suspend, reactivate, delete with a time of grace. */
export class TenantManager {
  readonly #db: Doors;
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'error'>;
  readonly #tables: () => readonly Table[];
  readonly #provision: Provision | undefined;
  readonly #settle: Settle | undefined;

  constructor(deps: {
    db: Doors;
    clock: Clock;
    log: Pick<Logger, 'error'>;
    tables: () => readonly Table[];
    provision?: Provision;
    settle?: Settle;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#tables = deps.tables;
    this.#provision = deps.provision;
    this.#settle = deps.settle;
  }

  /** Creates a tenant. 409 `slug-taken` when a given slug is another's; one made from the name is made free by a number. */
  async createTenant(input: NewTenant, cause: Cause): Promise<TenantRow> {
    const now = this.#clock.now();
    const { slug, locale = 'en', timeZone = 'UTC', currency = 'USD', demo = false, staleGraceSeconds = null } = input;
    checkSettings({ name: input.name, locale, timeZone, currency });
    if (slug !== undefined && isReservedSlug(slug)) throw invalidInput('/slug', 'is reserved');
    const row = { id: newId(), name: input.name, locale, timeZone, currency, demo, staleGraceSeconds };
    for (let attempt = 1; ; attempt++) {
      const tried = slug ?? slugOf(input.name, attempt);
      try {
        return await this.#db.forPlatform(async (tx) => {
          const tenant = await insertTenant(tx, { ...row, slug: tried, createdAt: now.toString() });
          await this.#tell(tx, 'created', tenant, cause, { after: settingsOf(tenant) });
          await this.#provision?.(tx, tenant, cause);
          return tenant;
        });
      } catch (error) {
        if ((error as { code?: string }).code !== '23505') throw error;
        if (slug !== undefined || attempt === 20)
          throw new Problem(problems.slugTaken, { errors: [{ pointer: '/slug', detail: 'is taken' }] });
      }
    }
  }

  /** One tenant; 404 when there is none. */
  async getTenantInfo(id: string): Promise<TenantRow> {
    return found(await this.#db.forPlatform((tx) => readTenant(tx, id)));
  }

  /** The caller's own tenant, through its own door. */
  async getOwnTenant(id: string): Promise<TenantRow> {
    return found(await this.#db.forTenant(id, (tx) => readTenant(tx, id)));
  }

  /** Tenants, newest first. `before` is the id of the last one seen. */
  async listTenants(filter: TenantFilter, before: string | undefined, limit: number): Promise<Page<TenantRow>> {
    const rows = await this.#db.forPlatform((tx) => readTenants(tx, filter, before, limit));
    return pageOf(rows, limit, (row) => [row.id]);
  }

  /** Changes name and settings; `as: 'tenant'` goes through the tenant's own door, where currency and grace are not writable. */
  async updateTenant(
    id: string,
    change: TenantSettings,
    cause: Cause,
    as: 'platform' | 'tenant' = 'platform',
  ): Promise<TenantRow> {
    checkSettings(change);
    return this.#change(id, as, async (tx, before) => {
      if (before.status === 'deleted') throw notFound('tenant');
      if (Object.values(change).every((value) => value === undefined)) return before;
      const after = await writeTenant(tx, id, change);
      await this.#tell(tx, 'updated', after, cause, { before: settingsOf(before), after: settingsOf(after) });
      return after;
    });
  }

  /** Refuses every call of the tenant from now on. 409 unless it is active. */
  suspendTenant(id: string, reason: string | undefined, cause: Cause): Promise<TenantRow> {
    const data = reason === undefined ? {} : { reason };
    return this.#move(id, ['active'], { status: 'suspended' }, 'suspended', cause, data);
  }

  /** Lets a suspended tenant call again, or takes a deletion back in its time of grace: after it the rows are being erased. */
  async reactivateTenant(id: string, cause: Cause): Promise<TenantRow> {
    return this.#change(id, 'platform', async (tx, before) => {
      requireState(before, ['suspended', 'deleting']);
      this.#requireGrace(before);
      const after = await writeTenant(tx, id, { status: 'active', deleteAfter: null });
      await this.#tell(tx, before.status === 'deleting' ? 'deletion_cancelled' : 'reactivated', after, cause, {});
      return after;
    });
  }

  /** Closes a tenant at once and erases its rows after the days of grace; with 0 they are erased before this returns. */
  async deleteTenant(id: string, options: { graceDays: number }, cause: Cause): Promise<TenantRow> {
    const deleteAfter = this.#clock
      .now()
      .add({ hours: 24 * options.graceDays })
      .toString();
    const tenant = await this.#move(
      id,
      ['active', 'suspended', 'deleting'],
      { status: 'deleting', deleteAfter, graceDays: options.graceDays, erasing: options.graceDays === 0 },
      'deletion_scheduled',
      cause,
      { deleteAfter, graceDays: options.graceDays },
      (before) => {
        if (options.graceDays > 0) this.#requireGrace(before);
      },
    );
    return options.graceDays === 0 ? this.#erase(id, cause) : tenant;
  }

  /** Erases the tenants whose time of grace is over, by this machine's clock and by the database's; returns how many. Run each minute. */
  async eraseDueTenants(): Promise<number> {
    const now = this.#clock.now().toString();
    return this.#each(await this.#db.forPlatform((tx) => readDueDeletions(tx, now)), async (id) => {
      if (await this.#db.forPlatform((tx) => beginErasure(tx, id, now))) await this.#erase(id, systemCause('tenancy'));
    });
  }

  /** Erases what came after the erasure of a tenant, for a day: of a call that was under way, a spool, a reader of the log. Run each hour. */
  async sweepErased(): Promise<number> {
    const since = this.#clock.now().subtract({ hours: 24 }).toString();
    return this.#each(await this.#db.forPlatform((tx) => readDeleted(tx, since)), async (id) => {
      await eraseTenant(this.#db, this.#tables(), id);
    });
  }

  /** Does something for each tenant; one that fails keeps no other waiting. Returns how many did not. */
  async #each(ids: readonly string[], work: (id: string) => Promise<void>): Promise<number> {
    let done = 0;
    for (const id of ids) {
      try {
        await work(id);
        done++;
      } catch (error) {
        this.#log.error({ err: error, tenantId: id }, 'a tenant could not be erased; it is tried again');
      }
    }
    return done;
  }

  async #erase(id: string, cause: Cause): Promise<TenantRow> {
    await this.#settle?.(id);
    const erased = await eraseTenant(this.#db, this.#tables(), id);
    return this.#change(id, 'platform', async (tx, before) => {
      // Another process was at it too, and told of it.
      if (before.status === 'deleted') return before;
      requireState(before, ['deleting']);
      const after = await writeTenant(tx, id, {
        status: 'deleted',
        // The slug becomes free again; what remains names nobody.
        slug: `deleted-${id}`,
        name: 'Deleted tenant',
        // From now on: the day in which what comes late is erased.
        deleteAfter: this.#clock.now().toString(),
      });
      await this.#tell(tx, 'deleted', after, cause, { erased });
      return after;
    });
  }

  #move(
    id: string,
    from: readonly TenantStatus[],
    change: TenantChange,
    verb: string,
    cause: Cause,
    data: Record<string, unknown>,
    check?: (before: TenantRow) => void,
  ): Promise<TenantRow> {
    return this.#change(id, 'platform', async (tx, before) => {
      requireState(before, from);
      check?.(before);
      const after = await writeTenant(tx, id, change);
      await this.#tell(tx, verb, after, cause, {
        before: { status: before.status },
        after: { status: after.status },
        ...data,
      });
      return after;
    });
  }

  #change(
    id: string,
    as: 'platform' | 'tenant',
    work: (tx: Tx, before: TenantRow) => Promise<TenantRow>,
  ): Promise<TenantRow> {
    const inside = async (tx: Tx) => work(tx, found(await readTenant(tx, id, 'lock')));
    return as === 'tenant' ? this.#db.forTenant(id, inside) : this.#db.forPlatform(inside);
  }

  #requireGrace({ status, deleteAfter, erasing }: TenantRow): void {
    const over = deleteAfter !== null && Date.parse(deleteAfter) <= this.#clock.now().epochMilliseconds;
    if (status === 'deleting' && (erasing || over))
      throw new Problem(problems.wrongState, {
        detail: 'The time of grace is over: the tenant is being erased.',
        extra: { state: status },
      });
  }

  async #tell(tx: Tx, verb: string, tenant: TenantRow, cause: Cause, data: Record<string, unknown>): Promise<void> {
    await append(
      tx,
      {
        ...becauseOf(cause),
        tenantId: tenant.id,
        type: `tenancy.tenant.${verb}`,
        subject: { kind: 'tenant', id: tenant.id, name: tenant.name },
        data,
        demo: tenant.demo,
      },
      this.#clock.now(),
    );
  }
}

function found(row: TenantRow | undefined): TenantRow {
  if (row === undefined) throw notFound('tenant');
  return row;
}

function requireState(tenant: TenantRow, states: readonly TenantStatus[]): void {
  if (tenant.id === platformTenantId) throw new Problem(problems.reserved);
  if (tenant.status === 'deleted') throw notFound('tenant');
  if (!states.includes(tenant.status))
    throw new Problem(problems.wrongState, {
      detail: `The tenant is ${tenant.status}.`,
      extra: { state: tenant.status },
    });
}

function settingsOf({ slug, name, locale, timeZone, currency, demo, staleGraceSeconds }: TenantRow) {
  return { slug, name, locale, timeZone, currency, demo, staleGraceSeconds };
}
