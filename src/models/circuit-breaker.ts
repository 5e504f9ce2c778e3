import type { Clock } from '#kernel/clock';

/** When a circuit opens and for how long. Milliseconds. */
export type CircuitSettings = {
  /** Failures in a row that open it. */
  readonly consecutive: number;
  /** Share of failures (0 to 1) that opens it, once the window holds `minimum` results. */
  readonly ratio: number;
  readonly minimum: number;
  readonly windowMs: number;
  /** First pause; doubled after each failed probe up to `longestOpenMs`. */
  readonly openMs: number;
  readonly longestOpenMs: number;
};

/** Leave to try once. Report exactly one outcome; later ones are ignored. */
export type Pass = {
  succeed(): void;
  fail(): void;
  /** The try says nothing about the provider (the caller went away, a 429). */
  abandon(): void;
};

/** `open`: calls are refused until the pause is over; `half-open`: one probe decides. */
export type CircuitState = 'closed' | 'open' | 'half-open';

const defaults: CircuitSettings = {
  consecutive: 5,
  ratio: 0.5,
  minimum: 20,
  windowMs: 30_000,
  openMs: 5_000,
  longestOpenMs: 60_000,
};

const slices = 10;

/** Circuit breaker (M. Nygard, Release It!, "Circuit Breaker"): keeps calls from a provider that fails, and lets one probe find out when it is back. */
export class CircuitBreaker {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #settings: CircuitSettings;
  #window: { slice: number; good: number; bad: number }[] = [];
  #row = 0;
  #openedAt: number | undefined;
  #pauseMs: number;
  #probing = false;
  /** Rises when the circuit opens or closes: a result of an earlier time says nothing about the present. */
  #era = 0;

  constructor(clock: Pick<Clock, 'monotonic'>, settings: Partial<CircuitSettings> = {}) {
    this.#clock = clock;
    this.#settings = { ...defaults, ...settings };
    this.#pauseMs = this.#settings.openMs;
  }

  get state(): CircuitState {
    if (this.#openedAt === undefined) return 'closed';
    return this.opensInMs > 0 ? 'open' : 'half-open';
  }

  /** Milliseconds until a probe is let through; 0 when calls may go now. */
  get opensInMs(): number {
    if (this.#openedAt === undefined) return 0;
    return Math.max(0, this.#openedAt + this.#pauseMs - this.#clock.monotonic());
  }

  /** Whether {@link enter} would let a call through now. */
  get admits(): boolean {
    const { state } = this;
    return state === 'closed' || (state === 'half-open' && !this.#probing);
  }

  /** Leave for one call; undefined while open, or while the one probe is under way. */
  enter(): Pass | undefined {
    if (!this.admits) return undefined;
    const probe = this.#openedAt !== undefined;
    if (probe) this.#probing = true;
    const era = this.#era;
    let open = true;
    const once = (work: () => void) => () => {
      if (!open) return;
      open = false;
      if (era === this.#era) work();
    };
    return {
      succeed: once(() => (probe ? this.#close() : this.#count(true))),
      fail: once(() => (probe ? this.#reopen() : this.#count(false))),
      abandon: once(() => {
        if (probe) this.#probing = false;
      }),
    };
  }

  #count(good: boolean): void {
    const { windowMs, consecutive, ratio, minimum } = this.#settings;
    const slice = Math.floor(this.#clock.monotonic() / (windowMs / slices));
    this.#window = this.#window.filter((each) => each.slice > slice - slices);
    let last = this.#window.at(-1);
    if (last?.slice !== slice) {
      last = { slice, good: 0, bad: 0 };
      this.#window.push(last);
    }
    if (good) {
      last.good++;
      this.#row = 0;
      return;
    }
    last.bad++;
    this.#row++;
    let bad = 0;
    let all = 0;
    for (const each of this.#window) {
      bad += each.bad;
      all += each.bad + each.good;
    }
    if (this.#row >= consecutive || (all >= minimum && bad / all >= ratio)) this.#open();
  }

  #open(): void {
    this.#openedAt = this.#clock.monotonic();
    this.#era++;
    this.#probing = false;
  }

  #reopen(): void {
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#settings.longestOpenMs);
    this.#open();
  }

  #close(): void {
    this.#openedAt = undefined;
    this.#pauseMs = this.#settings.openMs;
    this.#window = [];
    this.#row = 0;
    this.#era++;
    this.#probing = false;
  }
}

/** One {@link CircuitBreaker} per target (by `provider`, `model` and whose key it is). */
export class CircuitBreakers {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #settings: Partial<CircuitSettings>;
  readonly #breakers = new Map<string, CircuitBreaker>();

  constructor(clock: Pick<Clock, 'monotonic'>, settings: Partial<CircuitSettings> = {}) {
    this.#clock = clock;
    this.#settings = settings;
  }

  /** The breaker of a target. */
  of(target: { readonly id: string; readonly ownerTenantId: string }): CircuitBreaker {
    const key = `${target.ownerTenantId} ${target.id}`;
    let breaker = this.#breakers.get(key);
    if (breaker === undefined) {
      breaker = new CircuitBreaker(this.#clock, this.#settings);
      this.#breakers.set(key, breaker);
    }
    return breaker;
  }

  /** The targets to try now, in order: the given one, then its fallbacks, without those whose circuit is open. Empty: none may be tried. */
  targets<T extends { readonly id: string; readonly ownerTenantId: string; readonly fallbacks: readonly T[] }>(
    target: T,
  ): T[] {
    return [target, ...target.fallbacks].filter((each) => this.of(each).admits);
  }
}
