import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyInstance, InjectOptions } from 'fastify';

import type { CallApi } from '#agents';
import type { Principal } from '#kernel/http';
import { Problem, problems } from '#kernel/problem';

const acting = new AsyncLocalStorage<Principal>();

/** The principal that a run of an agent acts for at this moment; only {@link callOwnApi} sets it, inside this process. */
export function actingPrincipal(): Principal | undefined {
  return acting.getStore();
}

/**
 * Lintel's own API as a tool of agents: a request through every step of the front door, in this process, with the rights that the
 * run's principal holds now (not those it had when the run began).
 */
export function callOwnApi(deps: {
  server: () => FastifyInstance | undefined;
  /** The principal with the rights of now; undefined when its credential has ended. */
  present: (principal: Principal) => Promise<Principal | undefined>;
}): CallApi {
  return async (principal, method, path, body, idempotencyKey) => {
    const server = deps.server();
    if (server === undefined || !path.startsWith('/v1/'))
      throw new Problem(problems.notFound, { detail: 'Only paths below /v1/ can be called.' });
    const now = await deps.present(principal);
    if (now === undefined)
      throw new Problem(problems.unauthenticated, { detail: 'The credential that began this run is no longer valid.' });
    // Awaited inside: the injected request begins with its first "then", and must begin as this principal.
    const answer = await acting.run(now, async () => {
      const injected = await server.inject({
        method: method as NonNullable<InjectOptions['method']>,
        url: path,
        headers: {
          'user-agent': 'lintel-agent',
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        ...(body === undefined ? {} : { payload: body as object }),
      });
      return injected;
    });
    return {
      status: answer.statusCode,
      body: answer.headers['content-type']?.toString().includes('json') ? answer.json() : answer.body,
    };
  };
}
