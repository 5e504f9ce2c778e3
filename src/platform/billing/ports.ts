import type { UsageSum } from './split-usage.ts';

/** Usage summed for one type and one combination of the dimensions asked for. */
export type UsageTotals = UsageSum & {
  /** Rows in this sum. */
  readonly rows: number;
  /** Sums of the rows' list prices by currency, decimal strings. */
  readonly prices: Readonly<Record<string, string>>;
};

/** What a tenant's agent (null: calls without one) brought and cost in a currency, decimal strings. */
export type MarginSum = {
  readonly tenantId: string;
  readonly agentId: string | null;
  readonly currency: string;
  /** List prices of live usage. */
  readonly price: string;
  /** What providers charge the platform, test usage too: it is no less paid for. */
  readonly cost: string;
};

/** Usage at hand: metering, seen from above. Times are ISO 8601 UTC; `to` is not included. */
export type UsagePort = {
  /** Live usage of a tenant; test keys' usage is never in it. `dimensions`: names to keep apart by, all others are summed over. */
  totals(tenantId: string, from: string, to: string, dimensions: readonly string[]): Promise<readonly UsageTotals[]>;
  /** How many rows {@link UsagePort.totals} would sum. */
  count(tenantId: string, from: string, to: string): Promise<number>;
  /** Price and cost by tenant, agent and currency: never added across currencies. */
  margins(filter: { from: string; to: string; tenantId?: string; includeDemo: boolean }): Promise<readonly MarginSum[]>;
};

/** What billing needs to know of a tenant. */
export type TenantFacts = {
  readonly id: string;
  readonly status: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly demo: boolean;
};

/** Tenants, from memory. */
export type TenantsPort = { get(tenantId: string): TenantFacts | undefined };

/** The name of a tenant's agent, from memory; undefined when there is none (any more). */
export type AgentName = (tenantId: string, agentId: string) => string | undefined;
