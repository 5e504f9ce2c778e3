import type { Context } from '#kernel/http';
import type { Actor, Decision, NewEvent } from '#kernel/log';

/** Who caused a change and from where: the part of an event that is the same for every change of one request. */
export type Cause = {
  readonly actor: Actor;
  readonly onBehalfOf?: Actor;
  readonly origin?: { ip: string; client: string };
  readonly requestId?: string;
  readonly decision?: Decision;
};

/** The cause of what a request changes. */
export function causeOf(context: Pick<Context, 'actor' | 'origin' | 'requestId' | 'decision' | 'principal'>): Cause {
  const { actor, origin, requestId, decision } = context;
  const onBehalfOf = context.principal?.onBehalfOf;
  return {
    actor,
    origin,
    requestId,
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    ...(decision === undefined ? {} : { decision }),
  };
}

/** The cause of what a part of Lintel does by itself. */
export function systemCause(part: string): Cause {
  return { actor: { kind: 'system', id: part } };
}

/** The members of an event that a cause gives; a route's whole context may be passed as a cause without leaking into events. */
export function becauseOf(cause: Cause): Pick<NewEvent, 'actor' | 'onBehalfOf' | 'origin' | 'requestId' | 'decision'> {
  return {
    actor: cause.actor,
    ...(cause.onBehalfOf === undefined ? {} : { onBehalfOf: cause.onBehalfOf }),
    ...(cause.origin === undefined ? {} : { origin: cause.origin }),
    ...(cause.requestId === undefined ? {} : { requestId: cause.requestId }),
    ...(cause.decision === undefined ? {} : { decision: cause.decision }),
  };
}
