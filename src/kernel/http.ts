import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';

import type { Actor, Decision } from '#kernel/log';
import type { Verb } from '#kernel/module';

/** Whoever a credential stands for. Ids are UUIDs. */
export type Principal = {
  kind: 'user' | 'operator' | 'key';
  id: string;
  tenantId: string;
  name: string;
  /** Names of the roles held. */
  roles: readonly string[];
  /** For keys: the permissions the key is cut down to; undefined: all its roles give. */
  scopes?: readonly string[];
  /** `test` keys: same checks and limits, never invoiced. */
  mode: 'live' | 'test';
  /** The person who made the key. */
  onBehalfOf?: Actor;
  /** For people: the session, so that it can be ended. */
  sessionId?: string;
  /** For keys: agents the key may call; undefined = all. */
  agents?: readonly string[];
};

/** One step of the front door as the decision trace keeps it. `us` is the time it took, microseconds. */
export type TraceStep = {
  step: string;
  outcome: 'pass' | 'refuse' | 'skip';
  us: number;
  detail: Record<string, unknown>;
};

/** What a handler is given. `principal` is absent on public routes only. */
export type Context<P = unknown, Q = unknown, B = unknown> = {
  readonly requestId: string;
  readonly principal: Principal;
  /** The tenant of the credential (the platform tenant for operators). */
  readonly tenantId: string;
  readonly actor: Actor;
  readonly origin: { ip: string; client: string };
  readonly trace: TraceStep[];
  readonly decision: Decision | undefined;
  /** Language of the answer: `en` or `zh-CN`. */
  readonly locale: string;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
};

/** A route as `routes.ts` declares it; a test walks them all. */
export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Fastify path: `/v1/api-keys/:id`. */
  readonly path: string;
  /** `module.method`: one word in seed, API, SDK and docs. */
  readonly operationId: string;
  readonly summary: string;
  /** Who may come: a tenant's principals, operators, or anyone. */
  readonly area: 'tenant' | 'platform' | 'public';
  /** Form of errors and of unknown fields; absent: our own. */
  readonly protocol?: 'openai';
  /** The permission asked for; `null` for public routes and for those any signed-in principal may use. */
  readonly permission: `${string}:${Verb}` | null;
  /** Where each request is a *call*, of which kind: its request id is the call's id, and it has a row in `calls`. */
  readonly call?: 'chat' | 'embedding' | 'run';
  /** False where front-door limits are kept by the handler itself. */
  readonly rateLimited?: boolean;
  readonly schema: { params?: TSchema; query?: TSchema; body?: TSchema; response: Record<number, TSchema> };
  /** Bytes; the configured maximum when absent. */
  readonly bodyLimit?: number;
  readonly handle: (context: Context<never, never, never>) => unknown;
};

type Parsed<S> = S extends TSchema ? Static<S> : undefined;

/** Declares a route: the handler's `params`, `query` and `body` have the types of their schemas. */
export function route<
  const S extends { params?: TSchema; query?: TSchema; body?: TSchema; response: Record<number, TSchema> },
>(
  definition: Omit<Route, 'schema' | 'handle'> & {
    schema: S;
    handle: (context: Context<Parsed<S['params']>, Parsed<S['query']>, Parsed<S['body']>>) => unknown;
  },
): Route {
  return definition as unknown as Route;
}
