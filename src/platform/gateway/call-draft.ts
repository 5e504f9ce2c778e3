import type { Context, TraceStep } from '#kernel/http';
import { idTime } from '#kernel/ids';
import { type CallRecord, costsOf, type UsageEvent } from '#metering';
import type { Target } from '#models';
import type { Amount, Quantities } from './ports.ts';

/** What an upstream exchange came to. */
export type Outcome = {
  status: CallRecord['status'];
  httpStatus: number;
  quantities: Quantities;
  estimated: boolean;
  error: CallRecord['error'];
};

/** How a call ended, with what it costs. */
export type CallEnd = Outcome & { price: Amount | null; cost: Amount | null };

/** A call while it is under way: gathers what its row will say. */
export class CallDraft {
  readonly id: string;
  readonly trace: TraceStep[];
  target: Target | undefined;
  reserved: CallRecord['reserved'] = null;
  firstByteMs: number | null = null;
  readonly attempts: CallRecord['attempts'] = [];
  readonly #context: Context;
  readonly #kind: CallRecord['kind'];
  readonly #model: string;
  readonly #stream: boolean;
  readonly #startedAtMs: number;
  readonly #started = performance.now();
  #at = performance.now();

  constructor(context: Context, kind: CallRecord['kind'], model: string, stream: boolean) {
    this.id = context.request.id;
    this.trace = context.trace;
    this.#context = context;
    this.#kind = kind;
    this.#model = model;
    this.#stream = stream;
    this.#startedAtMs = idTime(this.id);
  }

  /** Milliseconds since the call came. */
  get elapsedMs(): number {
    return performance.now() - this.#started;
  }

  /** When the call came. */
  get startedAt(): Temporal.Instant {
    return Temporal.Instant.fromEpochMilliseconds(this.#startedAtMs);
  }

  /** Writes a step of the decision trace, with the time since the last one. */
  step(step: string, outcome: TraceStep['outcome'], detail: Record<string, unknown>): void {
    const now = performance.now();
    this.trace.push({ step, outcome, us: Math.round((now - this.#at) * 1000), detail });
    this.#at = now;
  }

  /** The call's row. */
  record(end: CallEnd, demo: boolean): CallRecord {
    const { principal, origin } = this.#context;
    return {
      id: this.id,
      tenantId: principal.tenantId,
      demo,
      mode: principal.mode,
      kind: this.#kind,
      status: end.status,
      httpStatus: end.httpStatus,
      principalKind: principal.kind,
      principalId: principal.id,
      principalName: principal.name,
      keyId: principal.kind === 'key' ? principal.id : null,
      agentId: null,
      agentVersion: null,
      runId: null,
      providerId: this.target?.providerId ?? null,
      provider: this.target?.provider ?? null,
      model: this.target === undefined ? this.#model.slice(0, 200) : `${this.target.provider}/${this.target.model}`,
      stream: this.#stream,
      trace: this.trace,
      reserved: this.reserved,
      quantities: end.quantities,
      estimated: end.estimated,
      late: false,
      cost: null,
      costCurrency: null,
      ...this.#costs(end),
      price: end.price?.amount ?? null,
      currency: end.price?.currency ?? null,
      origin,
      attempts: this.attempts,
      error: end.error,
      startedAt: isoTime(this.#startedAtMs),
      endedAt: isoTime(this.#startedAtMs + Math.round(this.elapsedMs)),
      firstByteMs: this.firstByteMs === null ? null : Math.round(this.firstByteMs),
    };
  }

  /** What the call used, for billing; none when it used nothing. */
  usage(end: CallEnd, demo: boolean): UsageEvent[] {
    if (Object.keys(end.quantities).length === 0) return [];
    const { principal } = this.#context;
    return [
      {
        tenantId: principal.tenantId,
        id: this.id,
        source: 'gateway',
        type: 'model.call',
        dimensions: {
          model: `${this.target?.provider}/${this.target?.model}`,
          provider: this.target?.provider ?? '',
          ...(principal.kind === 'key' ? { key: principal.id } : {}),
        },
        quantities: end.quantities,
        demo,
        mode: principal.mode,
        ...(end.estimated ? { estimated: true } : {}),
        ...(end.price === null ? {} : { price: end.price.amount, currency: end.price.currency }),
        ...this.#costs(end),
      },
    ];
  }

  #costs({ cost }: CallEnd) {
    return this.target === undefined ? {} : costsOf(cost, this.target.ownedBy);
  }
}

/** ISO 8601 text of milliseconds since the epoch; Temporal's own takes five times as long, and each call needs two. */
function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
