import { join } from 'node:path';

import type { Logger } from '#kernel/logger';
import type { FirstRun } from './first-run.ts';

/**
 * Says where the house is and how to get in: on a terminal with the one-time link, the demo's key and a ready curl; in a log only
 * the address and the name of the file that holds them.
 */
export function printAccess(parts: {
  firstRun: FirstRun;
  baseUrl: string;
  isTty: boolean;
  dataDir: string;
  log: Logger;
}): void {
  const { firstRun, baseUrl, isTty, dataDir, log } = parts;
  const file = join(dataDir, 'first-run.json');
  if (!isTty) {
    log.info(
      { address: baseUrl, ...(firstRun.loginUrl === undefined ? {} : { firstRunFile: file }) },
      'Lintel is ready',
    );
    return;
  }
  const bold = (text: string) => `\x1b[1m${text}\x1b[0m`;
  const lines = ['', `  ${bold('Lintel is ready')}  ${baseUrl}`, ''];
  if (firstRun.loginUrl !== undefined)
    lines.push(`  Sign in (once)   ${bold(firstRun.loginUrl)}`, `  Operator         ${firstRun.operatorEmail}`);
  else lines.push('  Sign in          with your e-mail address and password');
  if (firstRun.demo !== undefined) {
    lines.push(
      `  Demo tenant      ${firstRun.demo.tenantId}`,
      `  Demo key         ${firstRun.demo.apiKey}`,
      '',
      '  Try it:',
      ...firstRun.demo.curl.split('\n').map((line) => `    ${line}`),
    );
  }
  if (firstRun.loginUrl !== undefined || firstRun.demo !== undefined) lines.push('', `  All of this is in ${file}`);
  lines.push('', '  Ctrl-C stops it.', '');
  process.stdout.write(`${lines.join('\n')}\n`);
}
