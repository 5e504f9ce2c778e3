import type { HrTime, SpanContext } from '@opentelemetry/api';

import type { Logger } from '#kernel/logger';

/** A request that was answered, as telemetry tells of it. Times are milliseconds since the epoch. */
export type Answered = {
  operationId: string;
  method: string;
  route: string;
  status: number;
  startMs: number;
  seconds: number;
  requestId: string;
  /** Outside id. */
  tenantId: string | undefined;
  /** W3C trace context of the caller. */
  traceparent: string | undefined;
};

/** Spans and metrics on their way to an OpenTelemetry collector. */
export type Telemetry = { answered(answer: Answered): void; stop(): Promise<void> };

/**
 * Sends a server span and a duration for every answer to an OpenTelemetry collector (OTLP over HTTP, JSON): the standard
 * `OTEL_EXPORTER_OTLP_*` variables say where and with which headers. Loaded only where one is named; a collector that is away costs
 * nothing but its data.
 */
export async function startTelemetry(service: {
  version: string;
  nodeId: string;
  role: string;
  log: Logger;
}): Promise<Telemetry> {
  const [api, { resourceFromAttributes }, trace, metric, { OTLPTraceExporter }, { OTLPMetricExporter }] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/sdk-metrics'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/exporter-metrics-otlp-http'),
    ]);
  const resource = resourceFromAttributes({
    'service.name': 'lintel',
    'service.version': service.version,
    'service.instance.id': service.nodeId,
    'lintel.role': service.role,
  });
  api.diag.setLogger(
    { ...silent, error: (message) => service.log.debug({ telemetry: message }, 'telemetry could not be sent') },
    api.DiagLogLevel.ERROR,
  );
  const tracing = new trace.TracerProvider({
    resource,
    spanProcessors: [new trace.BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const metering = new metric.MeterProvider({
    resource,
    readers: [
      new metric.PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(), exportIntervalMillis: 15_000 }),
    ],
  });
  const tracer = tracing.getTracer('lintel');
  const duration = metering
    .getMeter('lintel')
    .createHistogram('http.server.request.duration', { unit: 's', description: 'Time to answer.' });
  return {
    answered: (answer) => {
      const attributes = {
        'http.request.method': answer.method,
        'http.route': answer.route,
        'http.response.status_code': answer.status,
        'lintel.operation': answer.operationId,
      };
      duration.record(answer.seconds, attributes);
      const parent = parentOf(answer.traceparent);
      const context = parent === undefined ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, parent);
      const span = tracer.startSpan(
        answer.operationId,
        {
          kind: api.SpanKind.SERVER,
          startTime: timeOf(answer.startMs),
          attributes: {
            ...attributes,
            'lintel.request_id': answer.requestId,
            ...(answer.tenantId === undefined ? {} : { 'lintel.tenant_id': answer.tenantId }),
          },
        },
        context,
      );
      if (answer.status >= 500) span.setStatus({ code: api.SpanStatusCode.ERROR });
      span.end(timeOf(answer.startMs + answer.seconds * 1000));
    },
    stop: async () => {
      const sent = Promise.allSettled([tracing.shutdown(), metering.shutdown()]);
      // A collector that is away must not hold up the end.
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 2_000).unref())]);
    },
  };
}

const silent = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  verbose: () => undefined,
};

function timeOf(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}

/** The caller's span by `traceparent` (W3C Trace Context level 1); undefined when absent or malformed. */
function parentOf(traceparent: string | undefined): SpanContext | undefined {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(traceparent ?? '');
  if (match === null || /^0+$/.test(match[1] as string) || /^0+$/.test(match[2] as string)) return undefined;
  return {
    traceId: match[1] as string,
    spanId: match[2] as string,
    traceFlags: Number.parseInt(match[3] as string, 16) & 1,
    isRemote: true,
  };
}
