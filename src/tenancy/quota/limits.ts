import { type Period, periodOf } from '#kernel/calendar';

/** Whom a limit counts. */
export type LimitScope = 'tenant' | 'key' | 'agent';

/** What a limit counts. */
export type LimitResource = 'requests' | 'concurrency' | 'tokens' | 'money';

/** Over which time: requests per second; concurrency without a window; tokens and money per day or month of the tenant's zone. */
export type LimitWindow = 'second' | 'none' | 'day' | 'month';

/** A limit as decisions use it. `amount`: tokens, micros of the tenant's currency, slots, or requests per second. */
export type Limit = {
  readonly id: string;
  readonly tenantId: string;
  readonly scope: LimitScope;
  readonly scopeId: string | null;
  readonly resource: LimitResource;
  readonly window: LimitWindow;
  readonly amount: number;
  /** Requests that may come at once; the amount when null. */
  readonly burst: number | null;
};

/** Whose limits a call counts against. */
export type Subjects = { tenantId: string; keyId?: string; agentId?: string };

/** The windows a resource may be limited over. */
export const windowsOf: Readonly<Record<LimitResource, readonly LimitWindow[]>> = {
  requests: ['second'],
  concurrency: ['none'],
  tokens: ['day', 'month'],
  money: ['day', 'month'],
};

/** The enabled limits of one tenant, ready for look-up by subject. */
export class TenantLimits {
  readonly #own: Limit[] = [];
  readonly #byId = new Map<string, Limit>();
  readonly #bySubject = new Map<string, Limit[]>();

  constructor(limits: Iterable<Limit>) {
    for (const limit of limits) {
      this.#byId.set(limit.id, limit);
      if (limit.scopeId === null) this.#own.push(limit);
      else {
        const key = `${limit.scope}:${limit.scopeId}`;
        const same = this.#bySubject.get(key);
        if (same === undefined) this.#bySubject.set(key, [limit]);
        else same.push(limit);
      }
    }
  }

  /** All limits that count these subjects: the tenant's, the key's and the agent's. */
  of(subjects: Subjects): readonly Limit[] {
    if (this.#bySubject.size === 0) return this.#own;
    const key = subjects.keyId === undefined ? undefined : this.#bySubject.get(`key:${subjects.keyId}`);
    const agent = subjects.agentId === undefined ? undefined : this.#bySubject.get(`agent:${subjects.agentId}`);
    if (key === undefined && agent === undefined) return this.#own;
    return [...this.#own, ...(key ?? []), ...(agent ?? [])];
  }

  /** The limit of this id. */
  byId(id: string): Limit | undefined {
    return this.#byId.get(id);
  }
}

const always: Period = {
  start: Temporal.Instant.from('1970-01-01T00:00:00Z'),
  end: Temporal.Instant.from('9999-01-01T00:00:00Z'),
};

/** The window of a leased limit that holds an instant. */
export function windowOf(limit: Pick<Limit, 'window'>, at: Temporal.Instant, zone: string): Period {
  return limit.window === 'day' || limit.window === 'month' ? periodOf(at, zone, limit.window) : always;
}
