import { addressGroup } from '#kernel/addresses';
import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { actorOf, type FrontDoorSteps } from '#kernel/front-door';
import type { Event, NewEvent } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { platformTenantId, type TenancyModule } from '#tenancy';

import type { RefusalCounter } from './refusal-counter.ts';
import { type AuditFilter, type AuditRow, insertAuditEvent, purgeAuditEvents, readAuditEvents } from './store.ts';

/** A refusal of the front door, as the audit log keeps it. */
export type Refusal = Pick<
  Parameters<FrontDoorSteps['refused']>[0],
  'requestId' | 'step' | 'problem' | 'principal' | 'arrival' | 'operationId'
>;

/** A sign-in that failed, as auth tells of it. `email` is what was typed; `tenantId` is known when the address is. */
export type SignInRefusal = {
  email: string;
  tenantId: string | undefined;
  reason: string;
  origin: { ip: string; client: string; requestId: string };
};

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

  /** The front door's refusals: counted per principal (or address) and reason, written once a second. */
  refused(refusal: Refusal): void {
    const { principal, arrival, problem, step, operationId, requestId } = refusal;
    const who = principal === undefined ? addressGroup(arrival.ip) : `${principal.kind}:${principal.id}`;
    this.#refusals.count(`${who} ${problem.kind.type}`, (): NewEvent => {
      const tenantId = principal?.tenantId ?? platformTenantId;
      return {
        tenantId,
        type: 'security.request.refused',
        actor: principal === undefined ? { kind: 'system', id: 'anonymous' } : actorOf(principal),
        ...(principal?.onBehalfOf === undefined ? {} : { onBehalfOf: principal.onBehalfOf }),
        origin: { ip: arrival.ip, client: String(arrival.headers['user-agent'] ?? '').slice(0, 200) },
        subject: { kind: 'tenant', id: tenantId },
        decision: { allowed: false, reason: problem.message },
        requestId,
        data: { step, problem: problem.kind.type, operationId },
      };
    });
  }

  /** Failed sign-ins: counted per account, address and reason. An unknown address is the platform's to see. */
  signInRefused({ email, tenantId = platformTenantId, reason, origin }: SignInRefusal): void {
    this.#refusals.count(`${addressGroup(origin.ip)} ${reason} ${email}`, () => ({
      tenantId,
      type: 'security.sign_in.refused',
      actor: { kind: 'system', id: 'anonymous' },
      origin: { ip: origin.ip, client: origin.client },
      subject: { kind: 'tenant', id: tenantId },
      decision: { allowed: false, reason },
      requestId: origin.requestId,
      data: { email, reason },
    }));
  }

  /** Deletes entries past their time. */
  purge(): Promise<number> {
    const before = this.#clock.now().subtract({ hours: 24 * keptDays });
    return this.#db.forPlatform((tx) => purgeAuditEvents(tx, before.toString()));
  }
}
