import { type FastifyBaseLogger, LogController } from 'fastify';

import type { Logger } from '#kernel/logger';

/** What Fastify is told of logging: its own lines are off, and no logger is made for each request, which would cost more than all decisions on it. */
export function requestLogging(log: Logger) {
  return {
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger: FastifyBaseLogger) => logger,
  };
}
