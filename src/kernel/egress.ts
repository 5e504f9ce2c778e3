import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';

import { Agent, buildConnector, Dispatcher, Pool } from 'undici';

import { type AllowRule, type AllowTarget, isAllowed, parseAllowTarget, privateRange } from './egress-address.ts';
import { type EgressLimits, fetchGuarded } from './egress-fetch.ts';
import { bareHost, EgressBlocked, parseUrl } from './egress-url.ts';
import type { Logger } from './logger.ts';

/** A request whose answer is read whole. */
export interface EgressRequest extends EgressLimits {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Milliseconds for everything, redirects and body included. Default 30,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** An answer read whole. `url` is where it came from after redirects. */
export interface EgressResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly url: string;
  readonly body: Buffer;
}

/** What {@link createEgress} needs. */
export interface EgressDeps {
  /** The operator's rules now; return the same array while they are unchanged, since a new one is read anew. */
  readonly allow: () => readonly AllowRule[];
  readonly log: Pick<Logger, 'warn'>;
  /** Resolves a name to all its addresses. Default: the system's resolver. */
  readonly lookup?: (host: string) => Promise<readonly { address: string; family: number }[]>;
  /** Milliseconds to resolve and connect. Default 10,000. */
  readonly connectMs?: number;
}

/** The one way out for URLs that tenants supply. `tenantId` null stands for the platform itself: only platform-wide rules apply. */
export interface Egress {
  /** A `fetch` for one caller; it throws {@link EgressBlocked} itself, not wrapped. Pass it to an SDK. */
  fetch(tenantId: string | null, limits?: EgressLimits): typeof globalThis.fetch;
  /** Sends a request and reads the whole answer, whatever its status. */
  request(tenantId: string | null, url: string, request?: EgressRequest): Promise<EgressResponse>;
  /**
   * For the hot path: an undici dispatcher that connects only where the tenant may. It follows no redirects,
   * caps no sizes and logs no refusals; the handler gets {@link EgressBlocked} as its error.
   */
  dispatcher(tenantId: string | null, limits?: Pick<EgressLimits, 'headersMs' | 'bodyMs'>): Dispatcher;
  /** Throws {@link EgressBlocked} when the URL could not be reached now: for forms that take a URL. Requests are checked again. */
  check(tenantId: string | null, url: string): Promise<void>;
  /** Closes all connections, letting requests end. */
  close(): Promise<void>;
}

/**
 * Guards against server-side request forgery (OWASP SSRF cheat sheet): http and https only, no credentials in the URL, and connections
 * only to public addresses or those that a rule allows. The check is made on the very address that the socket then connects to, so
 * a name that resolves differently the next time (DNS rebinding) gains nothing; every redirect is checked like a first request.
 *
 * Connections are kept in one pool per *set of rules*: two callers share a connection only when they may reach the same addresses,
 * and a changed rule leaves the old connections behind.
 */
export function createEgress(deps: EgressDeps): Egress {
  const lookup = deps.lookup ?? ((host: string) => systemLookup(host, { all: true }));
  let source: readonly AllowRule[] | undefined;
  let scopes = new Map<string | null, Scope>();

  /** The caller's pool under the rules as they are now. */
  function scopeOf(tenantId: string | null): Scope {
    const rules = deps.allow();
    if (rules !== source) {
      const old = new Map([...scopes.values()].map((scope) => [scope.key, scope]));
      scopes = new Map();
      for (const tenant of new Set([null, ...rules.map((rule) => rule.tenantId)])) {
        const own = rules.filter((rule) => rule.tenantId === null || rule.tenantId === tenant);
        const key = [...new Set(own.map((rule) => rule.target))].sort().join(' ');
        const known = old.get(key) ?? newScope(key, own.flatMap(readRule));
        old.set(key, known);
        scopes.set(tenant, known);
      }
      source = rules;
      const kept = new Set(scopes.values());
      for (const scope of old.values()) if (!kept.has(scope)) void scope.agent.close();
    }
    return scopes.get(tenantId) ?? (scopes.get(null) as Scope);
  }

  /** A rule that cannot be read allows nothing. */
  function readRule(rule: AllowRule): AllowTarget[] {
    try {
      return [parseAllowTarget(rule.target)];
    } catch (error) {
      deps.log.warn({ tenantId: rule.tenantId, err: error }, 'egress rule ignored');
      return [];
    }
  }

  function newScope(key: string, targets: AllowTarget[]): Scope {
    const agent = new Agent({
      allowH2: false,
      factory: (origin, options) => {
        const url = parseUrl(String(origin));
        return new Pool(origin, { ...options, connect: connector(targets, url) });
      },
    });
    return { key, targets, agent };
  }

  /** Connects to addresses of the URL's host that have passed the check, and to no others. */
  function connector(targets: readonly AllowTarget[], url: URL): buildConnector.connector {
    const guarded: LookupFunction = (_host, options, callback) => {
      reachable(targets, url).then(
        (addresses) => {
          const [first] = addresses;
          if (options.all) callback(null, [...addresses]);
          else callback(null, first.address, first.family);
        },
        (error: NodeJS.ErrnoException) => callback(error, []),
      );
    };
    const connect = buildConnector({ allowH2: false, timeout: deps.connectMs ?? 10_000, lookup: guarded });
    // For an address in the URL no name is looked up, so it is checked here.
    return (options, callback) => {
      if (isIP(bareHost(url)) === 0) return connect(options, callback);
      reachable(targets, url).then(
        () => connect(options, callback),
        (error: Error) => callback(error, null),
      );
    };
  }

  async function reachable(targets: readonly AllowTarget[], url: URL): Promise<[Address, ...Address[]]> {
    const host = bareHost(url);
    const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
    const family = isIP(host);
    const found = family === 0 ? await lookup(host) : [{ address: host, family }];
    const open = found.filter(
      ({ address }) => privateRange(address) === undefined || isAllowed(targets, host, address, port),
    );
    const [first, ...more] = open;
    if (first) return [first, ...more];
    const address = found[0]?.address;
    const range = address === undefined ? 'unknown' : privateRange(address);
    throw new EgressBlocked(
      'address',
      url.host,
      `${url.host} may not be reached: its address is not on the public internet (${range}). An operator can allow it by host:port or CIDR.`,
      address,
    );
  }

  /** Logs a refusal once, where it leaves this module. */
  function told(tenantId: string | null, error: unknown): unknown {
    const cause = error instanceof Error && error.cause instanceof EgressBlocked ? error.cause : error;
    if (cause instanceof EgressBlocked) {
      const { reason, host, address, message } = cause;
      deps.log.warn({ tenantId, reason, host, address }, `egress blocked: ${message}`);
    }
    return cause;
  }

  function dispatcher(tenantId: string | null, limits: EgressLimits = {}): Dispatcher {
    return new ScopedDispatcher(() => scopeOf(tenantId).agent, limits);
  }

  function fetchFor(tenantId: string | null, limits: EgressLimits = {}): typeof globalThis.fetch {
    const through = dispatcher(tenantId, limits);
    return async (input, init) => {
      try {
        return await fetchGuarded(through, input, init, limits);
      } catch (error) {
        throw told(tenantId, error);
      }
    };
  }

  return {
    fetch: fetchFor,
    dispatcher,
    async request(tenantId, url, request = {}) {
      const { method = 'GET', headers = {}, body, timeoutMs = 30_000, signal, ...limits } = request;
      const limit = AbortSignal.timeout(timeoutMs);
      const response = await fetchFor(tenantId, limits)(url, {
        method,
        headers,
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        ...(body === undefined ? {} : { body }),
      });
      try {
        const bytes = Buffer.from(await response.arrayBuffer());
        return { status: response.status, headers: response.headers, url: response.url, body: bytes };
      } catch (error) {
        throw told(tenantId, error);
      }
    },
    async check(tenantId, url) {
      try {
        await reachable(scopeOf(tenantId).targets, parseUrl(url));
      } catch (error) {
        throw told(tenantId, error);
      }
    },
    async close() {
      await Promise.all([...new Set(scopes.values())].map((scope) => scope.agent.close()));
    },
  };
}

interface Scope {
  readonly key: string;
  readonly targets: readonly AllowTarget[];
  readonly agent: Agent;
}

interface Address {
  readonly address: string;
  readonly family: number;
}

/** Chooses the pool at each request, so that a changed rule counts from the next one on. */
class ScopedDispatcher extends Dispatcher {
  readonly #agent: () => Agent;
  readonly #timeouts: { headersTimeout: number; bodyTimeout: number };

  constructor(agent: () => Agent, limits: EgressLimits) {
    super();
    this.#agent = agent;
    this.#timeouts = { headersTimeout: limits.headersMs ?? 300_000, bodyTimeout: limits.bodyMs ?? 300_000 };
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.#agent().dispatch({ ...this.#timeouts, ...options } as Agent.DispatchOptions, handler);
  }
}
