import type { Dispatcher } from 'undici';
import type { Principal } from '#kernel/http';
import type { Decision } from '#kernel/log';
import type { CallRecord, Charge, UsageEvent } from '#metering';

/** Quantities used or reserved, by meter name (`input_tokens`, `output_tokens`, …). */
export type Quantities = Record<string, number>;

/** Whose limits a call counts against. */
export type Subjects = { tenantId: string; keyId?: string; agentId?: string };

/** An amount held for a call until it is settled. */
export type Held = {
  settle(used: { tokens: bigint; money: bigint }): Charge[];
  release(): void;
  detail(): Record<string, unknown>;
};

/** A model behind an address, as calls are sent to it. */
export type Target = {
  providerId: string;
  provider: string;
  model: string;
  kind: 'chat' | 'embedding';
  /** The field that caps output there. */
  capField: 'max_tokens' | 'max_completion_tokens';
  /** Whether `stream_options.include_usage` is understood. */
  streamUsage: boolean;
  maxOutputTokens: number;
  bytesPerToken: number;
  /** Tokens of one image, audio or file part at most, where the price book knows. */
  maxTokensPerMedia?: number;
  url(path: 'chat/completions' | 'embeddings'): URL;
  headers(): Record<string, string>;
  dispatcher: Dispatcher;
};

/** An amount of money: decimal string and ISO 4217 code. */
export type Amount = { amount: string; currency: string };

/** What the gateway needs of the house; the composition root passes it in. */
export type GatewayPorts = {
  authorize(principal: Principal, permission: 'models:invoke' | 'agents:invoke'): Decision;
  /** The target and its fallbacks in order; throws `model_not_found`. */
  targets(tenantId: string, model: string, mode: 'live' | 'test'): readonly Target[];
  /** False while a target's circuit is open. */
  available(target: Target): boolean;
  /** Tells the circuit breaker how an attempt went. */
  attempted(target: Target, ok: boolean): void;
  readUsage(target: Target, usage: unknown): Quantities | undefined;
  /** Learns how many bytes this model's tokens take. */
  learn(target: Target, bytes: number, tokens: number): void;
  cost(target: Target, quantities: Quantities, at: Temporal.Instant): Amount | null;
  price(tenantId: string, type: string, dimensions: Record<string, string>, quantities: Quantities): Amount | null;
  limited(subjects: Subjects): { tokens: boolean; money: boolean };
  reserve(subjects: Subjects, amounts: { tokens: bigint; money: bigint }): Held | Promise<Held>;
  record(entry: { call: CallRecord; usage: UsageEvent[]; charges: Charge[] }): Promise<void>;
  isDemo(tenantId: string): boolean;
};
