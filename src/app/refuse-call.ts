import type { FrontDoorSteps } from '#kernel/front-door';
import { idTime, parseId } from '#kernel/ids';
import type { CallRecord } from '#metering';

type Refusal = Parameters<FrontDoorSteps['refused']>[0];

/** The row of a call that came to nothing before anybody wrote one: who, why, and the decision trace. */
export function refusedCall(
  refusal: Refusal & { principal: NonNullable<Refusal['principal']>; kind: CallRecord['kind'] },
  demo: boolean,
): CallRecord {
  const { principal, problem, arrival, trace, kind, step } = refusal;
  const id = parseId('call', refusal.requestId) as string;
  const at = Temporal.Instant.fromEpochMilliseconds(idTime(id));
  const { status, type } = problem.kind;
  return {
    id,
    tenantId: principal.tenantId,
    demo,
    mode: principal.mode,
    kind,
    status: status < 500 ? 'refused' : 'failed',
    httpStatus: status,
    principalKind: principal.kind,
    principalId: principal.id,
    principalName: principal.name,
    keyId: principal.kind === 'key' ? principal.id : null,
    agentId: null,
    agentVersion: null,
    runId: null,
    providerId: null,
    provider: null,
    model: null,
    stream: false,
    trace: [...trace, { step, outcome: 'refuse', us: 0, detail: { status, type, detail: problem.details.detail } }],
    reserved: null,
    quantities: {},
    estimated: false,
    late: false,
    cost: null,
    costCurrency: null,
    price: null,
    currency: null,
    origin: { ip: arrival.ip, client: String(arrival.headers['user-agent'] ?? '').slice(0, 200) },
    attempts: [],
    error: { code: type, message: problem.message },
    startedAt: at.toString({ smallestUnit: 'millisecond' }),
    endedAt: Temporal.Now.instant().toString({ smallestUnit: 'millisecond' }),
    firstByteMs: null,
  };
}
