import type { FastifyInstance } from 'fastify';

import { createAgentsModule } from '#agents';
import { createDeliveryModule } from '#delivery';
import { systemClock } from '#kernel/clock';
import { Database } from '#kernel/database';
import { Drain } from '#kernel/drain';
import { createEgress, type Egress } from '#kernel/egress';
import { killPoint } from '#kernel/faults';
import { LogFollower } from '#kernel/follower';
import { healthRoutes } from '#kernel/health';
import type { Principal } from '#kernel/http';
import { kernelTables } from '#kernel/kernel-tables';
import { Metrics } from '#kernel/metrics';
import type { Module } from '#kernel/module';
import { NodeKeeper } from '#kernel/node';
import { Relay } from '#kernel/relay';
import { Sealer } from '#kernel/seal';
import { createServer } from '#kernel/server';
import { Snapshots } from '#kernel/snapshot';
import { SubscriberRunner } from '#kernel/subscribers';
import { startTelemetry } from '#kernel/telemetry';
import { createMeteringModule } from '#metering';
import { createModelsModule, type Target } from '#models';
import { routeMessage } from '#models/router';
import { createBillingModule } from '#platform/billing';
import { createConsoleModule, serveConsole } from '#platform/console';
import { createGatewayModule } from '#platform/gateway';
import { createAuditModule } from '#security/audit';
import { createAuthModule, inProcessHasher } from '#security/auth';
import { createRbacModule } from '#security/rbac';
import { createTenancyModule } from '#tenancy';
import { createQuotaModule } from '#tenancy/quota';
import { auditedTypes } from './app/audited-types.ts';
import { actingPrincipal, callOwnApi } from './app/call-own-api.ts';
import { type AppConfig, allSettings, readAppConfig } from './app/config.ts';
import { frontDoorSteps } from './app/front-door-steps.ts';
import { gatewayPorts } from './app/gateway-ports.ts';
import { Lifecycle } from './app/lifecycle.ts';
import type { AppOptions } from './app/options.ts';

export type { AppConfig, AppOptions };
export { allSettings, readAppConfig };

/** The version of Lintel. */
export const version = '0.1.0';

/** Folders of every module's migrations. */
export const migrationFolders: readonly URL[] = [
  'kernel',
  'metering',
  'tenancy',
  'tenancy/quota',
  'security/auth',
  'security/rbac',
  'security/audit',
  'models',
  'agents',
  'platform/billing',
].map((module) => new URL(`./${module}/migrations/`, import.meta.url));

/** A process of the house, put together. */
export type App = Awaited<ReturnType<typeof createApp>>;

/** Puts the modules together: the one place that knows them all. */
export async function createApp(options: AppOptions) {
  const { role, config, connector, log } = options;
  const clock = options.clock ?? systemClock;
  const serves = role === 'front' || role === 'both';

  // Kernel
  const sealer = new Sealer(options.rootKey);
  const db = new Database({
    connector,
    poolSize: config.LINTEL_DATABASE_POOL,
    onError: (error) => log.debug({ err: error }, 'a database connection broke'),
  });
  const snapshots = new Snapshots(db);
  const follower = new LogFollower({ doors: db, connector, log });
  const metrics = new Metrics();
  const node = new NodeKeeper({
    doors: db,
    log,
    role: serves ? 'front' : 'background',
    version,
    snapshotSeq: () => follower.seq,
    ...(options.spoolDir === undefined ? {} : { spool: options.spoolDir }),
  });
  const common = { db, snapshots, clock, log, sealer, follower, nodeId: node.id };

  // Who they are, what they may use
  const tenancy = createTenancyModule({
    ...common,
    tables: () => [...kernelTables, ...modules.flatMap((module) => module.tables ?? [])],
    provision: (tx, tenant, cause) => billing.plans.ensureSubscriptionIn(tx, tenant, tenant.createdAt, cause),
    settle: (tenantId) => billing.billing.settle(tenantId),
  });
  const quota = createQuotaModule({
    ...common,
    connector,
    tenants: tenancy.tenants,
    config: { staleGraceSeconds: config.LINTEL_STALE_GRACE_SECONDS },
  });
  const metering = createMeteringModule({
    ...common,
    charges: quota.quota,
    tenants: tenancy.tenants,
    linesOf: (used) => billing.linesOf(used),
    config: {
      staleGraceSeconds: config.LINTEL_STALE_GRACE_SECONDS,
      commitWindowMs: config.LINTEL_COMMIT_WINDOW_MS,
      usageDays: config.LINTEL_USAGE_DAYS,
      spoolFolder: options.spoolDir,
      spoolMaxBytes: config.LINTEL_SPOOL_MAX_BYTES,
    },
  });

  // Security, and how messages go out
  const rbac = createRbacModule({
    ...common,
    permissions: () => modules.flatMap((module) => module.permissions ?? []),
  });
  const audit = createAuditModule({
    ...common,
    tenants: tenancy.tenants,
    types: auditedTypes,
  });
  const delivery = createDeliveryModule({ config, log });
  const auth = createAuthModule({
    ...common,
    config,
    rbac: rbac.manager,
    tenants: tenancy,
    hasher: options.hasher ?? inProcessHasher(),
    mailer: delivery.mailer,
    carryLimits: quota.carryLimits,
    baseUrl: () => options.baseUrl,
  });

  const stillHolds = (principal: Principal) =>
    auth.manager.stillValid(principal) && tenancy.tenants.get(principal.tenantId)?.status === 'active';

  // Models, agents, money
  const egress: Egress = createEgress({ allow: () => models.egressAllow(), log });
  const models = createModelsModule({ ...common, egress, routeMessage, environment: options.environment ?? {} });
  const agentName = (tenantId: string, id: string) => agents.byId(tenantId, id)?.name;
  const billing = createBillingModule({ ...common, usage: metering.metering, tenants: tenancy.tenants, agentName });

  const agents = createAgentsModule({
    ...common,
    egress,
    models: {
      ...models,
      cost: (target, used, at) => models.cost(target as Target, used as Parameters<typeof models.cost>[1], at),
    },
    quota: quota.quota,
    billing,
    metering: metering.metering,
    callApi: callOwnApi({ server: () => server, present: (principal) => auth.manager.present(principal) }),
    defaultModel: models.defaultModel,
    isDemo: (tenantId) => tenancy.tenants.get(tenantId)?.demo ?? false,
    isActive: (tenantId) => tenancy.tenants.get(tenantId)?.status === 'active',
    mayStay: (principal, permission) => stillHolds(principal) && rbac.decide(principal, permission, 'tenant').allowed,
    config: {
      commands: config.LINTEL_MCP_COMMANDS,
      path: config.PATH,
      concurrency: config.LINTEL_RUNS_IN_BACKGROUND,
      toolTimeoutMs: config.LINTEL_TOOL_TIMEOUT_SECONDS * 1000,
    },
    faults: (point) => killPoint(`run-${point}`),
  });

  // The platform
  const upstream = gatewayPorts({
    rbac,
    models,
    egress,
    quota: quota.quota,
    billing,
    metering: metering.metering,
    tenancy,
  });
  const gateway = createGatewayModule({
    ports: upstream.ports,
    agents,
    config: {
      headersTimeoutMs: config.LINTEL_UPSTREAM_HEADERS_SECONDS * 1000,
      bodyTimeoutMs: config.LINTEL_UPSTREAM_IDLE_SECONDS * 1000,
      maxAnswerBytes: config.LINTEL_UPSTREAM_MAX_BYTES,
      defaultOutputCap: config.LINTEL_DEFAULT_OUTPUT_TOKENS,
      maxBodyBytes: config.LINTEL_MAX_BODY_BYTES,
    },
  });
  const console = createConsoleModule({
    ...common,
    metering: metering.metering,
    tenantName: (tenantId) => tenancy.tenants.get(tenantId)?.name,
    authorize: (principal, permission, area) => rbac.decide(principal, permission, area),
    stillValid: stillHolds,
  });

  const modules: readonly Module[] = [
    tenancy,
    quota,
    metering,
    rbac,
    audit,
    delivery,
    auth,
    models,
    agents,
    billing,
    gateway,
    console,
  ];
  const health = healthRoutes({
    follower,
    database: db,
    metrics,
    checks: modules.flatMap((module) => module.checks ?? []),
    draining: () => lifecycle.draining,
  });

  const telemetry =
    config.OTEL_EXPORTER_OTLP_ENDPOINT === undefined || role === 'setup'
      ? undefined
      : await startTelemetry({ version, nodeId: node.id, role, log });
  metrics.gauge('lintel_spool_bytes', 'Calls kept on disk until the database takes them, bytes.', () => {
    return metering.recorder.spoolBytes;
  });
  metrics.gauge('lintel_spool_blocked', '1 while the spool cannot be taken in.', () =>
    metering.recorder.trouble === undefined ? 0 : 1,
  );
  const routes = [...health, ...modules.flatMap((module) => module.routes ?? [])];
  const drain = new Drain(() => actingPrincipal() !== undefined);
  const server: FastifyInstance = await createServer({
    drain,
    clientStallMs: config.LINTEL_CLIENT_STALL_SECONDS * 1000,
    routes,
    steps: frontDoorSteps({
      follower,
      staleGraceSeconds: config.LINTEL_STALE_GRACE_SECONDS,
      auth,
      tenancy,
      rbac,
      quota: quota.quota,
      audit,
      metering: metering.metering,
    }),
    database: db,
    log,
    maxBodyBytes: config.LINTEL_MAX_BODY_BYTES,
    trustedProxies: config.LINTEL_TRUSTED_PROXY,
    version,
    onAnswer: (answer) => {
      const { operationId, status, seconds } = answer;
      telemetry?.answered(answer);
      metrics.observe('lintel_http_seconds', 'Time to answer by operation.', { operation: operationId }, seconds);
      metrics.count('lintel_http_answers_total', 'Answers by operation and status.', {
        operation: operationId,
        status: String(status),
      });
    },
  });
  if (options.consoleDir !== undefined) await serveConsole(server, options.consoleDir);

  const lifecycle = new Lifecycle({
    role,
    db,
    log,
    sealer,
    relay: new Relay({ connector, log }),
    follower,
    snapshots,
    node,
    modules,
    subscribers: new SubscriberRunner({ db, log, subscribers: modules.flatMap((module) => module.subscribers ?? []) }),
    server,
    drain,
    drainMs: config.LINTEL_DRAIN_SECONDS * 1000,
    closeOutside: async () => {
      await telemetry?.stop();
      await upstream.close();
      await egress.close();
    },
  });
  return {
    nodeId: node.id,
    server,
    routes,
    modules,
    db,
    services: { tenancy, quota, metering, rbac, audit, auth, models, agents, billing, console },
    start: () => lifecycle.start(),
    close: () => lifecycle.close(),
    hurry: () => lifecycle.hurry(),
    /** Calls, and runs of agents, that an end waits for. */
    underWay: () => Math.max(drain.running, agents.engine.active),
  };
}
