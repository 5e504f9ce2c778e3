import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

import { createLogger } from '#kernel/logger';
import { embeddedPostgresHome } from '#kernel/postgres/cluster-home';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded-cluster';
import { ensureTemplate } from '#test/database';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser's address of the PostgreSQL that tests run on. */
    adminUrl: string;
  }
}

/**
 * Starts the embedded PostgreSQL for the run, in a folder of its own, or takes the server that LINTEL_TEST_ADMIN_URL names (how the
 * same tests run on PostgreSQL 15), and makes the template database.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['LINTEL_TEST_ADMIN_URL'];
  if (given !== undefined) {
    await ensureTemplate(given);
    project.provide('adminUrl', given);
    return async () => undefined;
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'lintel-test-'));
  // As root PostgreSQL runs as another user, who has to get there.
  await chmod(dataDir, 0o755);
  const postgres = await startEmbeddedPostgres({ dataDir, log: createLogger('warn') });
  await ensureTemplate(postgres.adminUrl);
  project.provide('adminUrl', postgres.adminUrl);
  return async () => {
    await postgres.stop();
    await rm(await embeddedPostgresHome(dataDir), { recursive: true, force: true });
    await rm(dataDir, { recursive: true, force: true });
  };
}
