import type { Dispatcher } from 'undici';

import type { Principal } from '#kernel/http';
import type { Decision } from '#kernel/log';
import type { CallRecord, Charge, UsageEvent } from '#metering';
import type { CircuitBreakers, ListedModel, Target } from '#models';

/** Quantities used or reserved, by meter name (`input_tokens`, `output_tokens`, …). */
export type Quantities = Record<string, number>;

/** Whose limits a call counts against. */
export type Subjects = { tenantId: string; keyId?: string; agentId?: string };

/** An amount held for a call until it is settled; releasing after settling does nothing. */
export type Held = {
  settle(used: { tokens: bigint; money: bigint }): Charge[];
  release(): void;
  detail(): Record<string, unknown>;
};

/** An amount of money: decimal string and ISO 4217 code. */
export type Amount = { amount: string; currency: string };

/** What the gateway needs of the house; the composition root passes it in. */
export type GatewayPorts = {
  authorize(principal: Principal, permission: 'models:invoke' | 'agents:invoke'): Decision;
  /** Throws `model-not-found` (404). */
  resolve(tenantId: string, model: string, mode: 'live' | 'test'): Target;
  list(tenantId: string, mode: 'live' | 'test'): readonly ListedModel[];
  breakers: CircuitBreakers;
  /** The way to a target: guarded where a tenant chose the address. */
  dispatcher(target: Target): Dispatcher;
  /** Learns how many bytes this model's tokens take. */
  learn(target: Target, bytes: number, tokens: number): void;
  cost(target: Target, quantities: Quantities, at: Temporal.Instant): Amount | null;
  price(tenantId: string, type: string, dimensions: Record<string, string>, quantities: Quantities): Amount | null;
  limited(subjects: Subjects): { tokens: boolean; money: boolean };
  reserve(subjects: Subjects, amounts: { tokens: bigint; money: bigint }): Held | Promise<Held>;
  record(entry: { call: CallRecord; usage: UsageEvent[]; charges: Charge[] }): Promise<void>;
  /** Takes a refused call, coalesced; the id of the row that stands for it. */
  refuse(call: CallRecord): string;
  isDemo(tenantId: string): boolean;
};
