import { type FastifyBaseLogger, LogController } from 'fastify';

import type { Route } from '#kernel/http';
import type { Logger } from '#kernel/logger';
import type { Answered } from '#kernel/telemetry';

/**
 * The line of a request that is no call (a call's row says more): one at `info`, of those who watch over the process at `debug`. The
 * address is the route's pattern, so that nothing a client wrote is in it.
 */
export function logAnswer(log: Logger, answer: Answered, lintel: Route | undefined): void {
  if (lintel?.call !== undefined) return;
  const { operationId, method, route, status, seconds, requestId, tenantId } = answer;
  const level = operationId.startsWith('kernel.') ? 'debug' : 'info';
  log[level]({ operationId, method, route, status, ms: Math.round(seconds * 1000), requestId, tenantId }, 'answered');
}

/** What Fastify is told of logging: its own lines are off, and no logger is made for each request, which would cost more than all decisions on it. */
export function requestLogging(log: Logger) {
  return {
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger: FastifyBaseLogger) => logger,
  };
}
