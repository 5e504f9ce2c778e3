import { idTime, newId } from '#kernel/ids';
import type { CallRecord, UsageEvent } from '#metering';

/** A finished chat call as the gateway records it. */
export function callRecord(tenantId: string, more: Partial<CallRecord> = {}): CallRecord {
  const id = more.id ?? newId();
  const startedAt = new Date(idTime(id)).toISOString();
  return {
    id,
    tenantId,
    demo: false,
    mode: 'live',
    kind: 'chat',
    status: 'ok',
    httpStatus: 200,
    principalKind: 'key',
    principalId: newId(),
    principalName: 'test key',
    keyId: null,
    agentId: null,
    agentVersion: null,
    runId: null,
    providerId: null,
    provider: 'acme',
    model: 'acme/small',
    stream: false,
    trace: [
      { step: 'authenticate', outcome: 'pass', us: 12, detail: { kind: 'key' } },
      { step: 'reserve', outcome: 'pass', us: 3, detail: { limits: [] } },
    ],
    reserved: null,
    quantities: { input_tokens: 10, output_tokens: 5 },
    estimated: false,
    late: false,
    cost: '0.0001',
    costCurrency: 'USD',
    price: '0.0002',
    currency: 'USD',
    origin: { ip: '127.0.0.1', client: 'test' },
    attempts: [],
    error: null,
    startedAt,
    endedAt: startedAt,
    firstByteMs: 3,
    ...more,
  };
}

/** The usage row of a call. */
export function usageOf(call: CallRecord, more: Partial<UsageEvent> = {}): UsageEvent {
  return {
    tenantId: call.tenantId,
    id: call.id,
    source: 'gateway',
    type: 'model.call',
    dimensions: { model: call.model ?? '', provider: call.provider ?? '' },
    quantities: call.quantities,
    demo: call.demo,
    mode: call.mode,
    ...(call.price === null || call.currency === null ? {} : { price: call.price, currency: call.currency }),
    ...more,
  };
}
