import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import type { Database } from '#kernel/database';
import { Drain, dropStalled } from '#kernel/drain';
import {
  type Admission,
  type Arrival,
  actorOf,
  enter,
  type FrontDoorSteps,
  newAdmission,
  rateHeaders,
  tellRefusal,
} from '#kernel/front-door';
import type { Context, Principal, Route } from '#kernel/http';
import { runIdempotent } from '#kernel/idempotency';
import { formatId, newId } from '#kernel/ids';
import type { Logger } from '#kernel/logger';
import { withProblems } from '#kernel/openapi-problems';
import { openaiProblemBody, Problem, problemBody, problems } from '#kernel/problem';
import { logAnswer, requestLogging } from '#kernel/request-logging';
import { requireStorable, requireStorableAddress } from '#kernel/storable-text';
import { answerBrokenRequest, answerUnreadable, methodsByPath, noRoute } from '#kernel/stray-requests';
import type { Answered } from '#kernel/telemetry';
import { querySchema, useValidators } from '#kernel/validators';

declare module 'fastify' {
  interface FastifyRequest {
    admission: Admission;
    arrival: Arrival;
    /** The body as it came, on protocol routes: they pass it on. */
    rawBody: string | undefined;
  }
  interface FastifyContextConfig {
    lintel?: Route;
  }
}

/** What the HTTP server is made of. */
export type ServerDeps = {
  routes: readonly Route[];
  steps: FrontDoorSteps;
  database: Database;
  log: Logger;
  maxBodyBytes: number;
  trustedProxies: readonly string[];
  version: string;
  /** How the process ends: what is under way, and whether more may come. */
  drain?: Drain;
  /** Milliseconds in which a client must take a byte of what waits for it; then it counts as gone. Absent: it may take for ever. */
  clientStallMs?: number;
  /** Told after every answer, for metrics and traces. */
  onAnswer?: (answer: Answered) => void;
};

/** Makes the HTTP server: every route behind the front door, errors as RFC 9457 problems, OpenAPI 3.1 at `/openapi.json`. */
export async function createServer(deps: ServerDeps): Promise<FastifyInstance> {
  const app = fastify({
    ...requestLogging(deps.log),
    bodyLimit: deps.maxBodyBytes,
    trustProxy: deps.trustedProxies.length > 0 ? [...deps.trustedProxies] : false,
    genReqId: () => newId(),
    // For a request to come in whole; answers may take longer.
    requestTimeout: 300_000,
    keepAliveTimeout: 75_000,
    connectionTimeout: deps.clientStallMs ?? 0,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    return503OnClosing: false,
    frameworkErrors: answerUnreadable,
    clientErrorHandler: answerBrokenRequest,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 200 },
  });
  const methodsOf = methodsByPath(app);
  const { drain = new Drain() } = deps;
  app.addHook('preClose', (done) => {
    drain.begin();
    done();
  });
  useValidators(app);
  keepRawBodies(app);
  await app.register(swagger, {
    transformObject: (made) =>
      withProblems(
        'openapiObject' in made ? made.openapiObject : made.swaggerObject,
        new Set(deps.routes.filter(({ protocol }) => protocol === 'openai').map(({ operationId }) => operationId)),
      ) as never,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Lintel',
        version: deps.version,
        description: 'The API of Lintel; the console uses nothing else.',
      },
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: '__Host-lintel' },
        },
      },
    },
  });
  app.decorateRequest('admission', null as unknown as Admission);
  app.decorateRequest('arrival', null as unknown as Arrival);
  app.addHook('onRequest', (request, reply, done) => {
    const { lintel } = request.routeOptions.config;
    const id = formatId(lintel?.call ? 'call' : 'request', request.id);
    reply.header('x-request-id', id);
    request.arrival = {
      requestId: id,
      headers: request.headers,
      ip: request.ip,
      secure: request.protocol === 'https',
      method: request.method,
      host: request.host,
    };
    request.admission = newAdmission(request);
    reply.raw.on('timeout', dropStalled);
    // Whoever watches over the process may ask how it does until its end.
    const late = drain.refusal();
    if (late !== undefined && lintel?.operationId.startsWith('kernel.') !== true) return done(late);
    if (lintel === undefined) return done();
    if (request.method === 'GET') drain.watch(reply.raw);
    try {
      const entering = enter(deps.steps, lintel, request.arrival, request.admission);
      if (entering === undefined) done();
      else entering.then(() => done(), done);
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('preValidation', (request, _reply, done) => {
    requireStorableAddress(request.url, request.query);
    done();
  });
  app.setErrorHandler((error, request, reply) => answerError(deps, error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] as string;
    return answerProblem(noRoute(request.method, path, methodsOf(path)), request, reply);
  });
  if (deps.onAnswer !== undefined) {
    const { onAnswer } = deps;
    app.addHook('onResponse', (request, reply, done) => {
      const { lintel } = request.routeOptions.config;
      const tenantId = request.admission?.principal?.tenantId;
      const seconds = reply.elapsedTime / 1000;
      const answer = {
        operationId: lintel?.operationId ?? 'other',
        method: request.method,
        route: lintel?.path ?? 'other',
        status: reply.statusCode,
        startMs: Temporal.Now.instant().epochMilliseconds - seconds * 1000,
        seconds,
        requestId: request.arrival.requestId,
        tenantId: tenantId === undefined ? undefined : formatId('tenant', tenantId),
        traceparent: request.headers['traceparent']?.toString(),
      };
      onAnswer(answer);
      logAnswer(deps.log, answer, lintel);
      done();
    });
  }
  app.get('/openapi.json', { schema: { hide: true } as object }, () => app.swagger());
  for (const route of deps.routes) register(app, deps, drain, route);
  return app;
}

function register(app: FastifyInstance, deps: ServerDeps, drain: Drain, route: Route): void {
  const { params, body, response } = route.schema;
  const querystring = querySchema(route);
  app.route({
    method: route.method,
    url: route.path,
    exposeHeadRoute: route.area === 'public' && route.method === 'GET',
    config: { lintel: route },
    ...(route.bodyLimit === undefined ? {} : { bodyLimit: route.bodyLimit }),
    schema: {
      operationId: route.operationId,
      summary: route.summary,
      tags: [route.operationId.split('.')[0] as string],
      ...(route.area === 'public' ? {} : { security: [{ key: [] }, { session: [] }] }),
      ...(params === undefined ? {} : { params }),
      ...(querystring === undefined ? {} : { querystring }),
      ...(body === undefined ? {} : { body }),
      response,
    } as object,
    handler: (request, reply) => {
      drain.requireOpen();
      const context = contextOf(request, reply);
      if (request.admission.rate !== undefined) reply.headers(rateHeaders(request.admission.rate));
      if (
        request.method === 'POST' &&
        route.protocol === undefined &&
        request.headers['idempotency-key'] !== undefined &&
        route.area !== 'public'
      ) {
        return drain.hold(runIdempotent(deps.database, route, context, () => route.handle(context as never)));
      }
      return drain.hold(route.handle(context as never));
    },
  });
}

/** What a handler is given, from what the front door found. */
export function contextOf(request: FastifyRequest, reply: FastifyReply): Context {
  const { admission, arrival } = request;
  const principal = admission.principal as Principal;
  return {
    requestId: arrival.requestId,
    principal,
    tenantId: principal?.tenantId,
    actor: principal === undefined ? { kind: 'system', id: 'anonymous' } : actorOf(principal),
    origin: { ip: arrival.ip, client: String(arrival.headers['user-agent'] ?? '').slice(0, 200) },
    trace: admission.trace,
    decision: admission.decision,
    locale: admission.locale,
    params: request.params,
    query: request.query,
    body: request.body,
    request,
    reply,
  };
}

/** Protocol routes get the body's text beside its parsed form: it goes on as it came. */
function keepRawBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.decorateRequest('rawBody', undefined);
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = body as string;
    if (request.routeOptions.config.lintel?.protocol !== undefined) {
      request.rawBody = text;
      return void parse(request, text, done);
    }
    void parse(request, text, (error, value) => {
      try {
        if (error === null) requireStorable(value, text);
        done(error, value);
      } catch (problem) {
        done(problem as Error);
      }
    });
  });
}

const fastifyProblems: Record<string, (error: Error) => Problem> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new Problem(problems.tooLarge),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new Problem(problems.unsupportedMediaType, { detail: 'Send application/json.' }),
  FST_ERR_CTP_EMPTY_JSON_BODY: () =>
    new Problem(problems.badRequest, { detail: 'The body is empty; a JSON object is needed.' }),
  FST_ERR_CTP_INVALID_JSON_BODY: (error) =>
    new Problem(problems.badRequest, { detail: `The body is not JSON: ${error.message}` }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new Problem(problems.badRequest, { detail: 'The content length does not match the body.' }),
};

/** The problem that an error is answered with: itself, or 500 without inner text. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Error) {
    const code = (error as { code?: string }).code ?? '';
    const known = fastifyProblems[code];
    if (known !== undefined) return known(error);
    const status = (error as { statusCode?: number }).statusCode;
    if (error instanceof SyntaxError && status === 400)
      return new Problem(problems.badRequest, { detail: `The body is not JSON: ${error.message}` });
    if (status !== undefined && status >= 400 && status < 500)
      return new Problem({ type: 'bad-request', status, title: problems.badRequest.title }, { detail: error.message });
  }
  return new Problem(problems.internal, { cause: error });
}

function answerError(deps: ServerDeps, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error);
  tellRefusal(deps.steps, problem, request);
  if (problem.kind.status >= 500) {
    const { requestId } = request.arrival;
    const operationId = request.routeOptions.config.lintel?.operationId;
    deps.log.error({ err: problem.details.cause ?? error, requestId, operationId }, problem.message);
  }
  return answerProblem(problem, request, reply);
}

function answerProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { requestId } = request.arrival;
  const openai = request.routeOptions.config.lintel?.protocol === 'openai';
  reply.header('x-request-id', requestId);
  if (problem.details.headers !== undefined) reply.headers(problem.details.headers);
  return reply
    .code(problem.kind.status)
    .header('content-type', openai ? 'application/json; charset=utf-8' : 'application/problem+json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(openai ? openaiProblemBody(problem, requestId) : problemBody(problem, requestId));
}
