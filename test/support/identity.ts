import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';

import { type Clock, systemClock } from '#kernel/clock';
import { LogFollower } from '#kernel/follower';
import type { Route } from '#kernel/http';
import { createLogger } from '#kernel/logger';
import type { Permission } from '#kernel/module';
import { Relay } from '#kernel/relay';
import { Sealer } from '#kernel/seal';
import { createServer } from '#kernel/server';
import { Snapshots } from '#kernel/snapshot';
import type { Table } from '#kernel/tables';
import { createAuditModule } from '#security/audit';
import { createAuthModule, inProcessHasher, type Mailer, type PasswordHasher } from '#security/auth';
import { createRbacModule } from '#security/rbac';
import { createTenancyModule } from '#tenancy';
import type { TestDatabase } from '#test/database';

/** One node with tenancy, rbac, auth and audit alone, over a test's database: for tests of these modules below the whole app. */
export type IdentityNode = Awaited<ReturnType<typeof identityNode>>;

const log = createLogger('silent');

/** Permissions of modules that these tests do without, so that roles have something to give. */
const others: Permission[] = [
  { name: 'agents:read', risk: 'low', area: 'tenant' },
  { name: 'agents:create', risk: 'medium', area: 'tenant' },
  { name: 'providers:create', risk: 'high', area: 'tenant' },
  { name: 'models:invoke', risk: 'medium', area: 'tenant' },
  { name: 'invoices:read', risk: 'low', area: 'tenant' },
  { name: 'limits:update', risk: 'medium', area: 'tenant' },
  { name: 'platform-nodes:read', risk: 'low', area: 'platform' },
];

/** Starts such a node. `follow`: it also relays and follows the log, as a second node must. */
export async function identityNode(
  t: TestDatabase,
  options: {
    clock?: Clock;
    hasher?: PasswordHasher;
    mailer?: Mailer;
    follow?: boolean;
    routes?: readonly Route[];
    tables?: readonly Table[];
    secret?: string;
  } = {},
) {
  const clock = options.clock ?? systemClock;
  const snapshots = new Snapshots(t.db);
  const sealer = new Sealer(options.secret ?? '42'.repeat(32));
  const common = { db: t.db, snapshots, clock, log, sealer };
  const permissions: Permission[] = [...others];
  const tables: Table[] = [...(options.tables ?? [])];
  const tenancy = createTenancyModule({ ...common, tables: () => tables });
  const rbac = createRbacModule({ ...common, permissions: () => permissions });
  const audit = createAuditModule({
    ...common,
    tenants: tenancy.tenants,
    types: ['tenancy.', 'auth.', 'rbac.', 'security.'],
  });
  const auth = createAuthModule({
    ...common,
    config: { LINTEL_SESSION_IDLE_MINUTES: 60, LINTEL_SESSION_HOURS: 24 },
    rbac: rbac.manager,
    tenants: tenancy,
    hasher: options.hasher ?? inProcessHasher(),
    mailer: options.mailer,
    baseUrl: () => 'http://localhost:8080',
  });
  const modules = [tenancy, rbac, auth, audit];
  for (const module of modules) {
    permissions.push(...(module.permissions ?? []));
    tables.push(...(module.tables ?? []));
  }
  t.db.onCommit((events) => snapshots.apply(events));
  const stops: (() => Promise<unknown>)[] = [];
  if (options.follow === true) {
    const relay = new Relay({ connector: t.connector, log });
    const follower = new LogFollower({ doors: t.db, connector: t.connector, log });
    follower.listen((events) => snapshots.apply(events));
    await follower.start();
    relay.start();
    stops.push(
      () => follower.stop(),
      () => relay.stop(),
    );
  }
  await snapshots.loadAll();
  const app = await createServer({
    routes: [...modules.flatMap((module) => module.routes ?? []), ...(options.routes ?? [])],
    steps: {
      fresh: () => undefined,
      authenticate: auth.authenticate,
      admitTenant: tenancy.admit,
      authorize: rbac.decide,
      rateLimit: () => undefined,
      refused: (refusal) => {
        audit.refused(refusal);
        return undefined;
      },
    },
    database: t.db,
    log,
    maxBodyBytes: 1_000_000,
    trustedProxies: [],
    version: '0.0.0',
  });
  return {
    tenancy,
    rbac,
    auth,
    audit,
    snapshots,
    sealer,
    app,
    tables,
    permissions,
    close: async () => {
      await app.close();
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

/** A request as a browser on this machine sends it, or as a program with a key. */
export async function call(
  app: FastifyInstance,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  url: string,
  as: { key?: string; cookie?: string } = {},
  body?: object,
  headers: Record<string, string> = {},
): Promise<LightMyRequestResponse> {
  const request: InjectOptions = {
    method,
    url,
    headers: {
      host: 'localhost:8080',
      ...(as.key === undefined ? {} : { authorization: `Bearer ${as.key}` }),
      ...(as.cookie === undefined ? {} : { cookie: as.cookie, origin: 'http://localhost:8080' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: body }),
  };
  return app.inject(request);
}

/** The `name=value` of the session cookie that an answer sets. */
export function cookieOf(response: LightMyRequestResponse): string {
  const header = [response.headers['set-cookie'] ?? []].flat()[0] ?? '';
  return header.split(';')[0] ?? '';
}
