import type { LogFollower } from '#kernel/follower';
import type { FrontDoorSteps } from '#kernel/front-door';
import { formatId } from '#kernel/ids';
import type { MeteringManager } from '#metering';
import type { AuditModule } from '#security/audit';
import type { AuthModule } from '#security/auth';
import type { RbacModule } from '#security/rbac';
import type { TenancyModule } from '#tenancy';
import type { QuotaManager } from '#tenancy/quota';
import { actingPrincipal } from './call-own-api.ts';
import { freshness } from './freshness.ts';
import { refusedCall } from './refuse-call.ts';

/** The steps of the front door, each its module's: fresh → authenticate → tenant → authorize → rate limit. */
export function frontDoorSteps(deps: {
  follower: LogFollower;
  staleGraceSeconds: number;
  auth: AuthModule;
  tenancy: TenancyModule;
  rbac: RbacModule;
  quota: QuotaManager;
  audit: AuditModule;
  metering: MeteringManager;
}): FrontDoorSteps {
  const { auth, tenancy, rbac, quota, audit, metering } = deps;
  const { fresh, within } = freshness(deps.follower, deps.staleGraceSeconds);
  return {
    fresh,
    authenticate: (arrival) => actingPrincipal() ?? auth.authenticate(arrival),
    admitTenant: (principal) => {
      const tenant = tenancy.admit(principal);
      within(tenant);
      return tenant;
    },
    authorize: (principal, permission, area) => rbac.decide(principal, permission, area),
    rateLimit: ({ tenantId, kind, id }) => quota.takeRequest({ tenantId, ...(kind === 'key' ? { keyId: id } : {}) }),
    refused: (refusal) => {
      const { principal, route } = refusal;
      // A call's row is its audit record; all else that was refused goes to the audit log.
      if (route.call !== undefined && principal !== undefined) {
        const demo = tenancy.tenants.get(principal.tenantId)?.demo ?? false;
        return formatId('call', metering.refuse(refusedCall({ ...refusal, principal, kind: route.call }, demo)));
      }
      audit.refused(refusal);
      return undefined;
    },
  };
}
