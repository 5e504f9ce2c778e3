import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';

import { createLogger } from '#kernel/logger';
import { startTelemetry } from '#kernel/telemetry';

afterEach(() => {
  delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
});

const answer = {
  operationId: 'gateway.createChatCompletion',
  method: 'POST',
  route: '/v1/chat/completions',
  status: 502,
  startMs: 1_700_000_000_250,
  seconds: 0.5,
  requestId: 'call_x',
  tenantId: 'tnt_x',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

test('an answer becomes a server span below its caller, and a duration', async () => {
  const got: Record<string, { headers: unknown; body: string }> = {};
  const collector = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      got[request.url ?? ''] = { headers: request.headers, body };
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const telemetry = await startTelemetry({ version: '1', nodeId: 'n', role: 'front', log: createLogger('silent') });
  telemetry.answered(answer);
  await telemetry.stop();
  collector.close();
  const traces = JSON.parse(got['/v1/traces']?.body ?? '{}');
  const [span] = traces.resourceSpans[0].scopeSpans[0].spans;
  expect(span).toMatchObject({
    name: 'gateway.createChatCompletion',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    parentSpanId: 'b7ad6b7169203331',
    status: { code: 2 },
  });
  expect(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)).toBe(500_000_000n);
  expect(got['/v1/metrics']?.body).toContain('http.server.request.duration');
});

test('a collector that is away disturbs nothing', async () => {
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = 'http://127.0.0.1:1';
  const telemetry = await startTelemetry({ version: '1', nodeId: 'n', role: 'front', log: createLogger('silent') });
  telemetry.answered({ ...answer, traceparent: 'nonsense' });
  await telemetry.stop();
});
