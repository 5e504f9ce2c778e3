import type { Egress } from '#kernel/egress';
import type { Principal } from '#kernel/http';
import type { CallRecord, CallRow, Charge, UsageEvent } from '#metering';
import type { BoundTarget, Generated, GenerateRequest, Target } from '#models';

/** What was used, by meter name. */
export type Quantities = Readonly<Record<string, number>>;

/** What agents need to know of a model before they call it. */
export type ModelTarget = BoundTarget &
  Pick<Target, 'provider' | 'providerId' | 'model' | 'ownedBy' | 'maxOutputTokens' | 'bytesPerToken'> & {
    readonly fallbacks: readonly ModelTarget[];
  };

/**
 * The model calls agents make: one call is one durable step. `resolve` and `generate` throw Problems; one that has used tokens
 * all the same carries them as `used`.
 */
export type ModelPort<T extends ModelTarget = Target> = {
  resolve(tenantId: string, model: string, mode: 'live' | 'test'): T;
  generate(
    request: Omit<GenerateRequest, 'target'> & { target: T },
  ): Promise<Omit<Generated, 'target'> & { target: ModelTarget }>;
  /** What the provider charges; null when unknown. */
  cost(target: ModelTarget, quantities: Quantities, at: Temporal.Instant): { cost: string; currency: string } | null;
};

/** Whom limits count. */
export type Subjects = { tenantId: string; keyId?: string; agentId?: string };

/** Tokens, and money in millionths of the tenant's currency. */
export type Amounts = { tokens: bigint; money: bigint };

/** What was set aside under the limits until settled or released. */
export type Reservation = { settle(used: Amounts): Charge[]; release(): void };

/** Limits: `reserve` throws 402 when spent, 429 when only others' open reservations stand in the way. */
export type QuotaPort = {
  reserve(subjects: Subjects, amounts: Amounts): Reservation | Promise<Reservation>;
  /** Takes one of the requests per second that an agent is limited to; throws 429. */
  takeAgentRequest(tenantId: string, agentId: string): void;
  /** Whether tokens or money of the subjects are limited. */
  limited(subjects: Subjects): { tokens: boolean; money: boolean };
};

/** List prices of the tenant's plan; null where the plan names none. `price` is a decimal string. */
export type BillingPort = {
  priceOf(
    tenantId: string,
    type: string,
    dimensions: Readonly<Record<string, string>>,
    quantities: Quantities,
  ): { price: string; currency: string } | null;
};

/** A usage row as the journal hands it to metering. `id` is made once per (run, seq): metering drops repeats by it. */
export type StepUsage = UsageEvent & {
  /** `run/<run id>/<seq>`. */
  source: string;
  type: 'model.call' | 'agent.external' | 'agent.run';
  quantities: Quantities;
};

/** Calls and usage at home: what is already there is dropped together with its charges. */
export type MeteringPort = {
  record(entry: {
    call: CallRecord | null;
    usage: UsageEvent[];
    charges: Charge[];
    /** How many requests the call's row stands for; 1 when absent. */
    requests?: number;
  }): Promise<void>;
  /** The row of a call; 404 where there is none. */
  getCall(tenantId: string, id: string): Promise<CallRow>;
};

/** The guarded way out for addresses that tenants name. */
export type EgressPort = Pick<Egress, 'fetch'>;

/** Lintel's own API with the rights of a principal, as they are at the time of the call. */
export type CallApi = (
  principal: Principal,
  method: string,
  path: string,
  body: unknown,
  idempotencyKey: string | undefined,
) => Promise<{ status: number; body: unknown }>;
