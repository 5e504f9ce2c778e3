import { Agent } from 'undici';

import type { Egress } from '#kernel/egress';
import { Problem, problems } from '#kernel/problem';
import type { MeteringManager } from '#metering';
import type { ModelsModule, Target } from '#models';
import type { BillingModule } from '#platform/billing';
import { type GatewayPorts, LocalModel } from '#platform/gateway';
import type { RbacModule } from '#security/rbac';
import { platformTenantId, type TenancyModule } from '#tenancy';
import type { QuotaManager } from '#tenancy/quota';

/** What the gateway needs, put together from the modules below it. `close` ends the connections to providers. */
export function gatewayPorts(deps: {
  rbac: RbacModule;
  models: ModelsModule;
  egress: Egress;
  quota: QuotaManager;
  billing: BillingModule;
  metering: MeteringManager;
  tenancy: TenancyModule;
}): { ports: GatewayPorts; close: () => Promise<void> } {
  const { models, quota, billing, tenancy } = deps;
  // The platform's own providers: addresses that operators chose.
  const direct = new Agent({ connections: 256, pipelining: 1, keepAliveTimeout: 30_000, connect: { timeout: 5_000 } });
  const guarded = new Map<string, ReturnType<Egress['dispatcher']>>();
  const dispatcher = (target: Target) => {
    if (target.provider === 'lintel') return new LocalModel(target, models.generate);
    if (target.ownerTenantId === platformTenantId) return direct;
    let own = guarded.get(target.ownerTenantId);
    if (own === undefined) {
      own = deps.egress.dispatcher(target.ownerTenantId);
      guarded.set(target.ownerTenantId, own);
    }
    return own;
  };
  const ports: GatewayPorts = {
    authorize: (principal, permission) => {
      const decision = deps.rbac.decide(principal, permission, 'tenant');
      if (!decision.allowed) throw new Problem(problems.forbidden, { detail: decision.reason, extra: { permission } });
      return decision;
    },
    resolve: (tenantId, model, mode) => models.resolve(tenantId, model, mode),
    list: (tenantId) => models.list(tenantId),
    breakers: models.breakers,
    dispatcher,
    learn: (target, bytes, tokens) => models.observe(target, bytes, tokens),
    cost: (target, quantities, at) => {
      const cost = models.cost(target, quantities as never, at);
      return cost === null ? null : { amount: cost.cost, currency: cost.currency };
    },
    price: (tenantId, type, dimensions, quantities) => {
      const price = billing.priceOf(tenantId, type, dimensions, quantities);
      return price === null ? null : { amount: price.price, currency: price.currency };
    },
    limited: (subjects) => quota.limited(subjects),
    reserve: (subjects, amounts) => quota.reserve(subjects, amounts),
    record: (entry) => deps.metering.record(entry),
    refuse: (call) => deps.metering.refuse(call),
    isDemo: (tenantId) => tenancy.tenants.get(tenantId)?.demo ?? false,
  };
  return { ports, close: () => direct.close() };
}
