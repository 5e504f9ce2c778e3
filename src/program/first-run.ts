import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type AppConfig, createApp } from '#app';
import { createConnector } from '#kernel/database-connector';
import type { Logger } from '#kernel/logger';
import { keepFile } from './keep-file.ts';
import { type DemoAccess, demoFile, findDemo, makeDemo } from './make-demo.ts';
import type { StartOptions } from './options.ts';
import type { Premises } from './prepare.ts';

/** How to get in, as it stands now. `loginUrl` works once; it and the key are there as long as they can be used. */
type Access = {
  baseUrl: string;
  operatorEmail: string;
  loginUrl: string | undefined;
  operatorKey: string | undefined;
  demo: DemoAccess | undefined;
};

/** What a start found or made. Without access: another machine has made the first operator, and its file tells. */
export type FirstRun = { created: boolean } & Partial<Access>;

const operatorEmail = 'operator@lintel.local';

/** The file with the first credentials, for the operator's eyes. */
export const firstRunFile = 'first-run.json';

/** Whether earlier starts have made all that this one would. */
export function settledBefore({ dataDir, demo }: Pick<StartOptions, 'dataDir' | 'demo'>): boolean {
  return existsSync(join(dataDir, firstRunFile)) && (!demo || existsSync(join(dataDir, demoFile)));
}

/**
 * Makes the first operator and the demo tenants where there are none, and keeps how to get in at `<data-dir>/first-run.json` (0600).
 * Later starts go on where one was broken off, and make nothing else: demo tenants that were removed stay away. Each writes the file
 * anew with what is true now; an operator who has no password yet finds a link in it that works.
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
    const { auth } = app.services;
    const operator = await auth.firstOperator(operatorEmail, ({ loginToken, operatorKey }) =>
      keepFile(file, { baseUrl, loginUrl: auth.links.loginUrl(loginToken), operatorEmail, operatorKey }),
    );
    const demo = () => findDemo(app, baseUrl, options.dataDir);
    if (!existsSync(file)) return { created: false, demo: await demo() };
    const kept = JSON.parse(await readFile(file, 'utf8')) as Access;
    const wantsDemo = options.demo && (operator !== undefined || !existsSync(join(options.dataDir, demoFile)));
    if (wantsDemo) await makeDemo(app, options.dataDir);
    const token = await auth.renewFirstLink(kept.operatorEmail, kept.loginUrl?.split('#token=')[1] ?? '');
    const key = kept.operatorKey === undefined ? undefined : await auth.keys.findLive(kept.operatorKey);
    const access: Access = {
      baseUrl,
      operatorEmail: kept.operatorEmail,
      loginUrl: token === undefined ? undefined : auth.links.loginUrl(token),
      operatorKey: key === undefined ? undefined : kept.operatorKey,
      demo: await demo(),
    };
    await keepFile(file, access);
    return { created: operator !== undefined || wantsDemo, ...access };
  } finally {
    await app.close();
  }
}
