import { flushCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

import { migrationFolders, readAppConfig } from '#app';
import { createLogger } from '#kernel/logger';
import { acquireRunLock } from '#kernel/run-lock';
import { createSteps } from '#kernel/steps';
import { onStopAsked, Supervisor } from '#kernel/supervisor';
import { buildConsole } from './build-console.ts';
import { settledBefore, settleIn } from './first-run.ts';
import { readOptions } from './options.ts';
import { addressOf, choosePort } from './ports.ts';
import { migratePremises, openPremises, type Premises } from './prepare.ts';
import { printAccess } from './print-access.ts';
import { reportDrain } from './report-drain.ts';
import { type Children, startChildren } from './start-children.ts';

const consoleDir = fileURLToPath(new URL('../../console/', import.meta.url));

/** `npm start`: brings the house up step by step, keeps its processes running, and takes it down in order when asked to. */
export async function start(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const config = readAppConfig();
  const lock = acquireRunLock(options.dataDir);
  const isTty = process.stdout.isTTY === true;
  const log = createLogger(config.LINTEL_LOG_LEVEL, { role: 'supervisor' });
  const quiet = isTty ? createLogger('warn', { role: 'supervisor' }) : log;
  const step = createSteps({ stream: process.stdout, isTty });
  const supervisor = new Supervisor({ log: quiet });
  let opening: Promise<Premises> | undefined;
  let children: Children | undefined;
  let ending: Promise<void> | undefined;
  const drainMs = config.LINTEL_DRAIN_SECONDS * 1000;
  const end = () => {
    ending ??= (async () => {
      const told = reportDrain({
        calls: () => children?.underWay() ?? 0,
        limitMs: drainMs,
        isTty,
        stream: process.stdout,
        log,
      });
      await children?.drain();
      await supervisor.drain();
      told();
      // Also when the stop came while PostgreSQL was starting: it must not be left behind.
      const premises = await opening?.catch(() => undefined);
      await premises?.embedded?.stop();
      lock.release();
    })();
    return ending;
  };
  onStopAsked(
    'program',
    (reason) => {
      log.info({ reason }, 'draining');
      void end().then(() => process.exit(0));
    },
    () => supervisor.hurry(),
  );
  try {
    // Sought again when it is needed; but what cannot work is said before a database is made.
    await choosePort(options.host, options.port);
    // Needs no database: goes on beside it.
    const building = inBackground(buildConsole(consoleDir));
    const premises = await step(
      'PostgreSQL',
      () => {
        opening = openPremises(config, options.dataDir, quiet);
        return opening;
      },
      ({ embedded }) => (embedded === undefined ? 'DATABASE_URL' : embedded.created ? 'embedded, new' : 'embedded'),
    );
    void premises.embedded?.exited.then(async (error) => {
      if (error === undefined || ending !== undefined) return;
      log.fatal({ err: error }, 'PostgreSQL cannot be brought back');
      await end();
      process.exit(1);
    });
    await step(
      'Migrations',
      () => migratePremises(premises, migrationFolders),
      (ran) => (ran.length === 0 ? 'up to date' : `${ran.length} run`),
    );
    await step(
      'Console',
      () => building,
      (built) => (built ? 'built' : 'up to date'),
    );
    const port = await choosePort(options.host, options.port);
    const baseUrl = addressOf(options.host, port);
    const settling = inBackground(
      settleIn({ premises, config, options, baseUrl: config.LINTEL_PUBLIC_URL ?? baseUrl, log: quiet }),
    );
    // What this process has compiled is there for its children, at the first start too.
    flushCompileCache();
    const launch = () =>
      startChildren({ supervisor, premises, options, port, baseUrl, firstRun: settling, consoleDir, drainMs });
    // Where somebody has settled in, nothing is made that processes must find when they begin.
    const launching = settledBefore(options) ? inBackground(launch()) : undefined;
    const firstRun = await step(
      options.demo ? 'Operator and demo tenants' : 'Operator',
      () => settling,
      (found) => (found.created ? 'made' : 'there'),
    );
    await step(`Processes (${options.workers} front, 1 background)`, async () => {
      children = await (launching ?? launch());
    });
    lock.publish(baseUrl);
    printAccess({ firstRun, baseUrl, isTty, dataDir: options.dataDir, log });
  } catch (error) {
    // A step that a stop broke off is no failure.
    if (ending !== undefined) return ending;
    await end();
    throw error;
  }
}

/** Work that is awaited later: should something else fail first, its own failure is nobody's. */
function inBackground<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}
