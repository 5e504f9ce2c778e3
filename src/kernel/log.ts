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
  const full: Event = { id: newId(), version: 1, occurredAt: now.toString({ smallestUnit: 'millisecond' }), ...event };
  await tx.execute('INSERT INTO outbox (tenant_id, id, event) VALUES ($1, $2, $3)', [
    full.tenantId,
    full.id,
    JSON.stringify(full),
  ]);
  const own = committing.get(tx);
  if (own === undefined) committing.set(tx, [full]);
  else own.push(full);
  return full;
}

/** The events appended in a transaction so far: lets a node show its own writes at once. */
export function appendedIn(tx: Tx): readonly Event[] {
  return committing.get(tx) ?? [];
}

/** True when an event type is one of `types`, or begins with one that ends in a dot. */
export function matchesType(type: string, types: readonly string[]): boolean {
  return types.some((wanted) => (wanted.endsWith('.') ? type.startsWith(wanted) : type === wanted));
}
