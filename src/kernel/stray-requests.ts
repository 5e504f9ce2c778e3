import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { formatId, newId } from '#kernel/ids';
import { Problem, type ProblemKind, problemBody, problems } from '#kernel/problem';

const badAddress: ProblemKind = { type: 'bad-address', status: 400, title: 'The address could not be read.' };
const slowRequest: ProblemKind = { type: 'request-timeout', status: 408, title: 'The request did not come in time.' };
const largeHeaders: ProblemKind = {
  type: 'headers-too-large',
  status: 431,
  title: 'The headers of the request are too large.',
};

/** Notes every route that is registered from now on; the returned function says which methods a path takes, sorted. */
export function methodsByPath(app: FastifyInstance): (path: string) => string[] {
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const parts = url.split('/').map((part) => {
      if (part.startsWith(':')) return '[^/]+';
      return part.split('*').map(RegExp.escape).join('.*');
    });
    routes.push({ pattern: new RegExp(`^${parts.join('/')}$`), methods: [method].flat() });
  });
  return (path) => [...new Set(routes.flatMap(({ pattern, methods }) => (pattern.test(path) ? methods : [])))].sort();
}

/** What an address without a route is answered with: 405 with `Allow` where other methods have one, else 404. */
export function noRoute(method: string, path: string, allowed: readonly string[]): Problem {
  if (allowed.length === 0)
    return new Problem(problems.notFound, { detail: `There is no ${method} ${path.slice(0, 200)} here.` });
  return new Problem(problems.methodNotAllowed, {
    detail: `${path.slice(0, 200)} takes ${allowed.join(', ')}, not ${method}.`,
    headers: { allow: allowed.join(', ') },
  });
}

/** Answers what Fastify refuses before any hook has run: an address that cannot be decoded, or a part of it that is too long. */
export function answerUnreadable(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const requestId = formatId('request', request.id);
  const problem = new Problem(badAddress, { detail: error.message.slice(0, 300) });
  reply.raw.writeHead(problem.kind.status, {
    'x-request-id': requestId,
    'content-type': 'application/problem+json; charset=utf-8',
  });
  reply.raw.end(JSON.stringify(problemBody(problem, requestId)));
}

/** Answers what is no HTTP request (or came too slowly, or with headers above 16 KiB) in the form of all other errors. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const kind =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? largeHeaders
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? slowRequest
        : problems.badRequest;
  const requestId = formatId('request', newId());
  const body = JSON.stringify(problemBody(new Problem(kind), requestId));
  socket.end(
    [
      `HTTP/1.1 ${kind.status} ${kind.title}`,
      `x-request-id: ${requestId}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
