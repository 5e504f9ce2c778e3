import type { Tx } from '#kernel/database';
import { newId } from '#kernel/ids';

/** Who did something: a person, a key, a run, or a part of Lintel itself. */
export type Actor = { kind: 'user' | 'operator' | 'key' | 'run' | 'system'; id: string; name?: string };

/** A thing that an event is about. `id` is a UUID. */
export type Subject = { kind: string; id: string; name?: string };

/** A decision of the front door, as events and calls keep it. */
export type Decision = { allowed: boolean; reason: string; role?: string };

/** An event as modules append it; the kernel adds id and time when absent. */
export type NewEvent = {
  tenantId: string;
  /** `module.thing.verb`, the verb in the past tense. */
  type: string;
  version?: number;
  actor: Actor;
  onBehalfOf?: Actor;
  origin?: { ip?: string; client?: string };
  subject: Subject;
  decision?: Decision;
  /** What changed: `before` and `after` for changes; free otherwise. Never a secret. */
  data?: Record<string, unknown>;
  requestId?: string;
  traceparent?: string;
  demo?: boolean;
};

/** An event as the log keeps it. `occurredAt` is ISO 8601 UTC. */
export type Event = NewEvent & { id: string; version: number; occurredAt: string };

const committing = new WeakMap<Tx, Event[]>();

/** Appends an event in the transaction of the change it tells of. It reaches readers after the commit, in `seq` order. */
export async function append(tx: Tx, event: NewEvent, now: Temporal.Instant = Temporal.Now.instant()): Promise<Event> {
  const full = wholeEvent(event, now);
  await tx.execute('INSERT INTO outbox (tenant_id, id, event) VALUES ($1, $2, $3)', [
    full.tenantId,
    full.id,
    JSON.stringify(full),
  ]);
  noteAppended(tx, [full]);
  return full;
}

/** An event with what {@link append} adds, for a statement that writes it together with its change: see {@link appendSql}. */
export function wholeEvent(event: NewEvent, now: Temporal.Instant): Event {
  return { id: newId(), version: 1, occurredAt: now.toString({ smallestUnit: 'millisecond' }), ...event };
}

/**
 * The part of such a statement that appends the events of a parameter (a JSON list of whole events), where `condition` holds. Who
 * runs it says so by {@link noteAppended}.
 */
export function appendSql(parameter: string, condition: string): string {
  return `INSERT INTO outbox (tenant_id, id, event) SELECT (e ->> 'tenantId')::uuid, (e ->> 'id')::uuid, e
    FROM jsonb_array_elements(${parameter}::jsonb) e WHERE ${condition}`;
}

/** Says that events were appended by a statement of the transaction's own. */
export function noteAppended(tx: Tx, events: readonly Event[]): void {
  const own = committing.get(tx);
  if (own === undefined) committing.set(tx, [...events]);
  else own.push(...events);
}

/** The events appended in a transaction so far: lets a node show its own writes at once. */
export function appendedIn(tx: Tx): readonly Event[] {
  return committing.get(tx) ?? [];
}

/** True when an event type is one of `types`, or begins with one that ends in a dot. */
export function matchesType(type: string, types: readonly string[]): boolean {
  return types.some((wanted) => (wanted.endsWith('.') ? type.startsWith(wanted) : type === wanted));
}
