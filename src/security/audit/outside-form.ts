import { formatId, type IdKind, idPrefixes, isUuid, parseId } from '#kernel/ids';
import type { Actor, Event } from '#kernel/log';

/** What members of event data name by their ids; of an `id` the thing that the member stands in tells, of a `scopeId` its `scope`. */
const members: Readonly<Record<string, IdKind>> = {
  tenantId: 'tenant',
  userId: 'user',
  keyId: 'key',
  newKeyId: 'key',
  sessionId: 'session',
  sessionIds: 'session',
  invitationId: 'invitation',
  agentId: 'agent',
  agents: 'agent',
  runId: 'run',
  callId: 'call',
  approvalId: 'approval',
  toolId: 'tool',
  providerId: 'provider',
  modelId: 'model',
  planId: 'plan',
  plan: 'plan',
  agent: 'agent',
  key: 'key',
};

/** What an `id` names in objects that stand in these members. */
const holders: Readonly<Record<string, IdKind>> = { prices: 'price', usage: 'usage' };

/** The outside form of an id in an event, by the kind of what it names; as it is where the kind has no outside form. */
export function outsideId(kind: string, id: string): string {
  const known = kindOf(kind);
  return known !== undefined && isUuid(id) ? formatId(known, id) : id;
}

/** The inside form of an outside id of any kind; a text that is none is taken as it is (names of Lintel's own parts). */
export function insideId(text: string): string {
  for (const kind of Object.keys(idPrefixes) as IdKind[]) {
    const id = parseId(kind, text);
    if (id !== undefined) return id;
  }
  return text;
}

/** An event with the ids in it as the API takes and gives them, also those in `data` wherever it is known what they name. */
export function outsideEvent<T extends Pick<Event, 'tenantId' | 'actor' | 'subject'> & { data?: Event['data'] }>(
  event: T,
): T {
  const { onBehalfOf } = event as { onBehalfOf?: Actor | null };
  return {
    ...event,
    tenantId: formatId('tenant', event.tenantId),
    actor: named(event.actor),
    subject: named(event.subject),
    ...(onBehalfOf == null ? {} : { onBehalfOf: named(onBehalfOf) }),
    ...(event.data === undefined ? {} : { data: outside(event.data, kindOf(event.subject.kind)) }),
  };
}

function named<T extends { kind: string; id: string }>(who: T): T {
  return { ...who, id: outsideId(who.kind, who.id) };
}

function kindOf(kind: string): IdKind | undefined {
  // An operator is a user of the platform tenant; kinds in events are written with underscores.
  const name = kind === 'operator' ? 'user' : kind.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return Object.hasOwn(idPrefixes, name) ? (name as IdKind) : undefined;
}

/** `own`: what an `id` in this object names. */
function outside(object: object, own: IdKind | undefined): Record<string, unknown> {
  const { kind, scope } = object as { kind?: unknown; scope?: unknown };
  const self = (typeof kind === 'string' ? kindOf(kind) : undefined) ?? own;
  const shown = (value: unknown, name: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => shown(item, name));
    if (typeof value === 'object' && value !== null)
      return outside(value, name === 'before' || name === 'after' ? self : holders[name]);
    if (typeof value !== 'string' || !isUuid(value)) return value;
    const known = Object.hasOwn(members, name) ? members[name] : undefined;
    const names = name === 'id' ? self : name === 'scopeId' && typeof scope === 'string' ? kindOf(scope) : known;
    return names === undefined ? value : formatId(names, value);
  };
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, shown(value, name)]));
}
