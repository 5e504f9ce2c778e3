import type { FastifyRequest } from 'fastify';

import type { Principal, Route, TraceStep } from '#kernel/http';
import { formatId } from '#kernel/ids';
import type { Actor, Decision } from '#kernel/log';
import { Problem, problems } from '#kernel/problem';

/** Answer of the rate-limit step; seconds until the window is whole again. */
export type RateDecision = {
  allowed: boolean;
  limit: number;
  remaining: number;
  resetSeconds: number;
  /** What one that is not allowed is refused with. */
  problem?: Problem;
};

/** What a step knows of the request. */
export type Arrival = {
  /** Outside id; that of an earlier request where a coalesced record stands for this one. */
  requestId: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly ip: string;
  readonly secure: boolean;
  readonly method: string;
  readonly host: string;
};

/** The steps, in the order of the house. Each is one module's; the composition root plugs them in. A step refuses by throwing a Problem. */
export type FrontDoorSteps = {
  /** Throws when decisions from memory may not be trusted (house: freshness). */
  fresh(): void;
  /** Undefined when no credential was sent; throws when a wrong one was. Synchronous when answered from memory. */
  authenticate(arrival: Arrival): Principal | undefined | Promise<Principal | undefined>;
  /** Throws when the tenant is suspended or gone. */
  admitTenant(principal: Principal): { demo: boolean; locale: string };
  authorize(principal: Principal, permission: string | null, area: 'tenant' | 'platform'): Decision;
  rateLimit(principal: Principal): RateDecision | undefined;
  /**
   * Told of everything a route answers with a problem, at the door and behind it, unless the problem is recorded already: for the audit
   * log or, on routes of calls, the calls (both coalesce them). May answer with the id of the request whose record stands for this one too.
   */
  refused(refusal: {
    requestId: string;
    step: string;
    problem: Problem;
    principal: Principal | undefined;
    arrival: Arrival;
    operationId: string;
    route: Route;
    trace: TraceStep[];
  }): string | undefined;
};

/** What the front door found out: stands on the request from its first hook on. */
export type Admission = {
  /** The step at hand; `handle` behind the door. */
  step: string;
  principal: Principal | undefined;
  decision: Decision | undefined;
  trace: TraceStep[];
  demo: boolean;
  locale: string;
  rate: RateDecision | undefined;
};

/** The actor that events name for a principal. */
export function actorOf(principal: Principal): Actor {
  return { kind: principal.kind, id: principal.id, name: principal.name };
}

/** `en` or `zh-CN`, from Accept-Language. */
export function localeOf(header: string | undefined): string {
  const first = header?.split(',')[0]?.trim().toLowerCase() ?? '';
  return first.startsWith('zh') ? 'zh-CN' : 'en';
}

/** What is known of a request before its first step. */
export function newAdmission(request: FastifyRequest): Admission {
  return {
    step: 'authenticate',
    principal: undefined,
    decision: undefined,
    trace: [],
    demo: false,
    locale: localeOf(request.headers['accept-language']),
    rate: undefined,
  };
}

/**
 * Takes a request through authenticate → tenant → authorize → rate limit, writing what each decided into its admission as it goes.
 * Returns at once (no promise) when every step answers from memory; throws or rejects with the problem of the step that refused.
 */
export function enter(
  steps: FrontDoorSteps,
  route: Route,
  arrival: Arrival,
  admission: Admission,
): undefined | Promise<void> {
  if (route.area === 'public') {
    admission.step = 'handle';
    return;
  }
  const started = performance.now();
  steps.fresh();
  const found = steps.authenticate(arrival);
  if (found instanceof Promise)
    return found.then((principal) => afterAuthentication(steps, route, admission, principal, started));
  afterAuthentication(steps, route, admission, found, started);
}

/** Tells of what a route refuses or fails with; the answer then carries the id of the request whose record stands for it. */
export function tellRefusal(
  steps: Pick<FrontDoorSteps, 'refused'>,
  problem: Problem,
  { arrival, admission, routeOptions }: FastifyRequest,
): void {
  const route = routeOptions.config.lintel;
  if (route === undefined || problem.details.recorded === true) return;
  const { principal, step, trace } = admission;
  const { requestId } = arrival;
  const { operationId } = route;
  const told = steps.refused({ requestId, step, problem, principal, arrival, operationId, route, trace });
  arrival.requestId = told ?? requestId;
}

function afterAuthentication(
  steps: FrontDoorSteps,
  route: Route,
  admission: Admission,
  principal: Principal | undefined,
  started: number,
): void {
  let at = started;
  const passed = (name: string, detail: Record<string, unknown>) => {
    const now = performance.now();
    admission.trace.push({ step: name, outcome: 'pass', us: Math.round((now - at) * 1000), detail });
    at = now;
  };
  if (principal === undefined) {
    throw new Problem(problems.unauthenticated, {
      detail: 'Send an API key as "Authorization: Bearer lt_live_…", or sign in.',
      headers: { 'www-authenticate': 'Bearer realm="lintel"' },
    });
  }
  admission.principal = principal;
  passed('authenticate', {
    kind: principal.kind,
    id: formatId(principal.kind === 'key' ? 'key' : 'user', principal.id),
    name: principal.name,
  });
  admission.step = 'tenant';
  const tenant = steps.admitTenant(principal);
  admission.demo = tenant.demo;
  passed('tenant', { id: formatId('tenant', principal.tenantId) });
  admission.step = 'authorize';
  const area = route.area === 'platform' ? 'platform' : 'tenant';
  const decision = steps.authorize(principal, route.permission, area);
  admission.decision = decision;
  if (!decision.allowed)
    throw new Problem(problems.forbidden, { detail: decision.reason, extra: { permission: route.permission } });
  // Where the permission depends on the body the handler asks, and writes the step.
  if (route.permission !== null)
    passed('authorize', { permission: route.permission, role: decision.role, reason: decision.reason });
  admission.step = 'rateLimit';
  if (route.rateLimited !== false) {
    const rate = steps.rateLimit(principal);
    admission.rate = rate;
    if (rate !== undefined) {
      if (rate.problem !== undefined) throw rate.problem;
      passed('rateLimit', { limit: rate.limit, remaining: rate.remaining });
    }
  }
  admission.step = 'handle';
}

/** `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). */
export function rateHeaders(rate: RateDecision): Record<string, string> {
  return {
    ratelimit: `"default";r=${Math.max(0, Math.floor(rate.remaining))};t=${Math.ceil(rate.resetSeconds)}`,
    'ratelimit-policy': `"default";q=${rate.limit};w=1`,
  };
}
