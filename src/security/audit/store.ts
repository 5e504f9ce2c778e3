import type { Reach } from '#kernel/agent-reach';
import type { Tx } from '#kernel/database';
import type { Actor, Decision, Event, Subject } from '#kernel/log';

import { withinReach } from './event-reach.ts';

/** An entry of the audit log. */
export type AuditRow = {
  tenantId: string;
  id: string;
  at: string;
  type: string;
  actor: Actor;
  onBehalfOf: Actor | null;
  subject: Subject;
  origin: { ip?: string; client?: string } | null;
  decision: Decision | null;
  data: Record<string, unknown>;
  requestId: string | null;
  demo: boolean;
};

/** Which entries a list shows. `type` may end in a dot: all types that begin so. Times are ISO 8601, `to` exclusive. */
export type AuditFilter = {
  type?: string | undefined;
  actorId?: string | undefined;
  subjectId?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  includeDemo: boolean;
  /** What the reader's key may know of. */
  reach?: Reach;
};

const columns = 'tenant_id, id, at, type, actor, on_behalf_of, subject, origin, decision, data, request_id, demo';

/** Writes an event down; one seen before changes nothing. */
export async function insertAuditEvent(tx: Tx, event: Event, demo: boolean): Promise<void> {
  const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value));
  await tx.execute(
    `INSERT INTO audit_events (tenant_id, id, at, type, actor, actor_id, on_behalf_of, subject, subject_id, origin, decision, data, request_id, demo)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (tenant_id, id) DO NOTHING`,
    [
      event.tenantId,
      event.id,
      event.occurredAt,
      event.type,
      json(event.actor),
      event.actor.id,
      json(event.onBehalfOf),
      json(event.subject),
      event.subject.id,
      json(event.origin),
      json(event.decision),
      json(event.data ?? {}),
      event.requestId ?? null,
      demo,
    ],
  );
}

/** Entries, newest first, one more than `limit`; of one tenant, or of all when none is given (platform door). */
export function readAuditEvents(
  tx: Tx,
  tenantId: string | undefined,
  filter: AuditFilter,
  before: readonly string[] | undefined,
  limit: number,
): Promise<AuditRow[]> {
  return tx.query<AuditRow>(
    `SELECT ${columns} FROM audit_events
     WHERE ($1::uuid IS NULL OR tenant_id = $1)
       AND ($2::text IS NULL OR type = $2 OR (right($2, 1) = '.' AND starts_with(type, $2)))
       AND ($3::text IS NULL OR actor_id = $3) AND ($4::text IS NULL OR subject_id = $4)
       AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)
       AND ($7 OR NOT demo)
       AND ($8::timestamptz IS NULL OR (at, id) < ($8, $9::uuid))
       AND ${withinReach('$11', '$12')}
     ORDER BY at DESC, id DESC LIMIT $10`,
    [
      tenantId ?? null,
      filter.type ?? null,
      filter.actorId ?? null,
      filter.subjectId ?? null,
      filter.from ?? null,
      filter.to ?? null,
      filter.includeDemo,
      before?.[0] ?? null,
      before?.[1] ?? null,
      limit + 1,
      filter.reach?.agents ?? null,
      filter.reach?.keyId ?? null,
    ],
  );
}

/** One entry within a reach; of one tenant, or of any when none is given (platform door). */
export function readAuditEvent(
  tx: Tx,
  tenantId: string | undefined,
  id: string,
  reach: Reach,
): Promise<AuditRow | undefined> {
  return tx.maybe<AuditRow>(
    `SELECT ${columns} FROM audit_events
     WHERE id = $1 AND ($2::uuid IS NULL OR tenant_id = $2) AND ${withinReach('$3', '$4')}`,
    [id, tenantId ?? null, reach?.agents ?? null, reach?.keyId ?? null],
  );
}

/** Deletes entries older than so many days, by this machine's clock and by the database's: one that runs ahead deletes none early. */
export function purgeAuditEvents(tx: Tx, now: string, days: number): Promise<number> {
  return tx.execute(
    `DELETE FROM audit_events WHERE at < least($1::timestamptz, clock_timestamp()) - $2 * interval '24 hours'`,
    [now, days],
  );
}
