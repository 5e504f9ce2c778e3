import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type AppConfig, createApp } from '#app';
import { createConnector } from '#kernel/database-connector';
import type { Logger } from '#kernel/logger';
import { type DemoAccess, makeDemo } from './make-demo.ts';
import type { StartOptions } from './options.ts';
import type { Premises } from './prepare.ts';

/** How to get in. `loginUrl` works once and is told at the first start only. */
export type FirstRun = {
  created: boolean;
  operatorEmail: string;
  loginUrl: string | undefined;
  operatorKey: string | undefined;
  demo: DemoAccess | undefined;
};

const operatorEmail = 'operator@lintel.local';

/** The file with the first credentials, for the operator's eyes. */
export const firstRunFile = 'first-run.json';

/** Whether an earlier start has made the first operator and told how to get in. */
export function settledBefore(dataDir: string): boolean {
  return existsSync(join(dataDir, firstRunFile));
}

/**
 * Makes the first operator and the demo tenants where there are none, and keeps how to get in at `<data-dir>/first-run.json`
 * (0600). Later starts make nothing: demo tenants that were removed stay away.
 */
export async function settleIn(parts: {
  premises: Premises;
  config: AppConfig;
  options: StartOptions;
  baseUrl: string;
  log: Logger;
}): Promise<FirstRun> {
  const { premises, config, options, baseUrl, log } = parts;
  const file = join(options.dataDir, firstRunFile);
  const app = await createApp({
    role: 'setup',
    config,
    connector: createConnector(premises.url, 'lintel-setup'),
    rootKey: premises.rootKey,
    log,
    baseUrl,
  });
  try {
    await app.start();
    const operator = await app.services.auth.firstOperator(operatorEmail);
    const kept = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as { demo?: DemoAccess }) : undefined;
    if (operator === undefined && (kept === undefined || kept.demo !== undefined || !options.demo)) {
      return { created: false, operatorEmail, loginUrl: undefined, operatorKey: undefined, demo: kept?.demo };
    }
    const demo = options.demo ? await makeDemo(app, baseUrl, options.dataDir) : undefined;
    const access =
      operator === undefined
        ? kept
        : {
            baseUrl,
            loginUrl: app.services.auth.links.loginUrl(operator.loginToken),
            operatorEmail,
            operatorKey: operator.operatorKey,
          };
    await writeFile(file, `${JSON.stringify({ ...access, ...(demo === undefined ? {} : { demo }) }, null, 2)}\n`, {
      mode: 0o600,
    });
    return {
      created: true,
      operatorEmail,
      loginUrl: operator === undefined ? undefined : app.services.auth.links.loginUrl(operator.loginToken),
      operatorKey: operator?.operatorKey,
      demo,
    };
  } finally {
    await app.close();
  }
}
