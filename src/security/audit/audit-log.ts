import { addressGroup } from '#kernel/addresses';
import type { Reach } from '#kernel/agent-reach';
import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { actorOf, type FrontDoorSteps } from '#kernel/front-door';
import type { Event, NewEvent } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { notFound } from '#kernel/problem';
import { platformTenantId, type TenancyModule } from '#tenancy';

import type { RefusalCounter } from './refusal-counter.ts';
import {
  type AuditFilter,
  type AuditRow,
  insertAuditEvent,
  purgeAuditEvents,
  readAuditEvent,
  readAuditEvents,
} from './store.ts';

/** What a route answered with a problem, as the audit log is told of it. */
export type Refusal = Pick<
  Parameters<FrontDoorSteps['refused']>[0],
  'requestId' | 'step' | 'problem' | 'principal' | 'arrival' | 'operationId'
>;

/** What counts as a refusal: no or a wrong credential, no right, too much. */
const refusals: readonly number[] = [401, 403, 429];

/** How long entries are kept, days. */
const keptDays = 400;

/** The audit log: who did what, on whose behalf, from where, with which right; and who was refused. */
export class AuditLog {
  readonly #db: Doors;
  readonly #clock: Clock;
  readonly #tenants: TenancyModule['tenants'];
  readonly #refusals: RefusalCounter;

  constructor(deps: { db: Doors; clock: Clock; tenants: TenancyModule['tenants']; refusals: RefusalCounter }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#tenants = deps.tenants;
    this.#refusals = deps.refusals;
  }

  /** Writes an event of the log down. */
  async record(event: Event): Promise<void> {
    const demo = event.demo ?? this.#tenants.get(event.tenantId)?.demo ?? false;
    await this.#db.forTenant(event.tenantId, (tx) => insertAuditEvent(tx, event, demo));
  }

  /** Entries of one tenant, newest first. `before`: time and id of the last one seen. */
  async listEvents(
    tenantId: string,
    filter: AuditFilter,
    before: readonly string[] | undefined,
    limit: number,
  ): Promise<Page<AuditRow>> {
    const rows = await this.#db.forTenant(tenantId, (tx) => readAuditEvents(tx, tenantId, filter, before, limit));
    return pageOf(rows, limit, (row) => [row.at, row.id]);
  }

  /** Entries of all tenants, or of one, for operators. */
  async listAllEvents(
    tenantId: string | undefined,
    filter: AuditFilter,
    before: readonly string[] | undefined,
    limit: number,
  ): Promise<Page<AuditRow>> {
    const rows = await this.#db.forPlatform((tx) => readAuditEvents(tx, tenantId, filter, before, limit));
    return pageOf(rows, limit, (row) => [row.at, row.id]);
  }

  /** One entry of a tenant; 404, also for one beyond the reach of the reader's key. */
  async getEvent(tenantId: string, id: string, reach: Reach): Promise<AuditRow> {
    return found(await this.#db.forTenant(tenantId, (tx) => readAuditEvent(tx, tenantId, id, reach)));
  }

  /** One entry of whichever tenant, for operators; 404 as {@link getEvent}. */
  async getAnyEvent(id: string, reach: Reach): Promise<AuditRow> {
    return found(await this.#db.forPlatform((tx) => readAuditEvent(tx, undefined, id, reach)));
  }

  /**
   * Refusals: counted per principal (or address) and reason, those of sign-ins also per account, and written once a second. What
   * nobody's tenant is known of is the platform's to see.
   */
  refused({ principal, arrival, problem, step, operationId, requestId }: Refusal): void {
    const { kind, details, message } = problem;
    if (!refusals.includes(kind.status)) return;
    const { email, tenantId = principal?.tenantId ?? platformTenantId } = details.account ?? {};
    const signIn = details.account !== undefined;
    const who = principal === undefined ? addressGroup(arrival.ip) : `${principal.kind}:${principal.id}`;
    this.#refusals.count(`${tenantId} ${who} ${kind.type} ${email ?? ''}`, (): NewEvent => {
      const { onBehalfOf } = principal ?? {};
      return {
        tenantId,
        type: signIn ? 'security.sign_in.refused' : 'security.request.refused',
        actor: principal === undefined ? { kind: 'system', id: 'anonymous' } : actorOf(principal),
        ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
        origin: { ip: arrival.ip, client: String(arrival.headers['user-agent'] ?? '').slice(0, 200) },
        subject: { kind: 'tenant', id: tenantId },
        decision: { allowed: false, reason: message },
        requestId,
        data: signIn ? { email, reason: kind.type, operationId } : { step, problem: kind.type, operationId },
      };
    });
  }

  /** Deletes entries past their time. */
  purge(): Promise<number> {
    return this.#db.forPlatform((tx) => purgeAuditEvents(tx, this.#clock.now().toString(), keptDays));
  }
}

function found(row: AuditRow | undefined): AuditRow {
  if (row === undefined) throw notFound('audit event');
  return row;
}
