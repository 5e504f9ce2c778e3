import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type App, type AppOptions, createApp, readAppConfig } from '#app';
import { systemCause } from '#kernel/cause';
import { formatId } from '#kernel/ids';
import { createLogger } from '#kernel/logger';
import { type TestDatabase, testDatabase } from '#test/database';

/** The root secret of tests. */
export const testRootKey = 'ab'.repeat(32);

/** An answer as tests look at it. `body` is the parsed JSON, or the text where it is none. */
export type Answer = { status: number; headers: Headers; body: Record<string, never>; text: string };

/** The whole app in this process on a database of its own, answering over real HTTP on loopback. */
export type TestApp = {
  app: App;
  url: string;
  database: TestDatabase;
  operatorKey: string;
  /** Sends a request with an API key (or none). */
  call(
    key: string | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** A new tenant with a key of its owner's rights. Ids are outside ones. */
  tenant(
    name: string,
    more?: { currency?: string; timeZone?: string; locale?: string; demo?: boolean },
  ): Promise<TestTenant>;
  close(): Promise<void>;
};

/** A tenant of a test: its ids, and keys by role. */
export type TestTenant = {
  id: string;
  uuid: string;
  key: string;
  keyOf(role: string, more?: { mode?: 'live' | 'test'; scopes?: string[]; agents?: string[] }): Promise<string>;
};

/** Starts the app on a clone of the template, or on `database` (a second node of the same house). */
export async function startTestApp(
  more: Partial<AppOptions> & { database?: TestDatabase; env?: Record<string, string> } = {},
): Promise<TestApp> {
  const { database: given, env, ...options } = more;
  const database = given ?? (await testDatabase());
  const spoolDir = await mkdtemp(join(tmpdir(), 'lintel-spool-'));
  const app = await createApp({
    role: 'both',
    config: readAppConfig({ ...env }),
    connector: database.connector,
    rootKey: testRootKey,
    log: createLogger(process.env['TEST_LOG'] ?? 'silent'),
    spoolDir,
    baseUrl: 'http://127.0.0.1',
    ...options,
  });
  await app.start();
  await app.server.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(app.server.server.address() as AddressInfo).port}`;
  const { tenancy, auth, billing, rbac } = app.services;
  await billing.plans.ensureDefaultPlans(systemCause('test'));
  const operator = await auth.firstOperator('operator@example.com');

  const call: TestApp['call'] = async (key, method, path, body, headers) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = text;
    }
    return { status: response.status, headers: response.headers, body: parsed as Record<string, never>, text };
  };
  return {
    app,
    url,
    database,
    operatorKey: operator?.operatorKey ?? '',
    call,
    tenant: async (name, settings = {}) => {
      const row = await tenancy.manager.createTenant({ name, ...settings }, systemCause('test'));
      const keyOf: TestTenant['keyOf'] = async (role, limits = {}) =>
        (await auth.keys.createKey(row.id, { name: `${role} of ${name}`, role, ...limits }, systemCause('test')))
          .secret;
      const scopes = rbac.manager.vocabularyFor(row.id).map((permission) => permission.name);
      return { id: formatId('tenant', row.id), uuid: row.id, key: await keyOf('owner', { scopes }), keyOf };
    },
    close: async () => {
      await app.close();
      if (given === undefined) await database.close();
      await rm(spoolDir, { recursive: true, force: true });
    },
  };
}
