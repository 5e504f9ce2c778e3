import type { TestProject } from 'vitest/node';
import { ensureTemplate } from '#test/database';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser's address of the PostgreSQL that tests run on. */
    adminUrl: string;
  }
}

/** Starts PostgreSQL for the run (or takes the one LINTEL_TEST_ADMIN_URL names) and makes the template database. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['LINTEL_TEST_ADMIN_URL'];
  if (given === undefined) throw new Error('LINTEL_TEST_ADMIN_URL is not set');
  await ensureTemplate(given);
  project.provide('adminUrl', given);
  return async () => undefined;
}
