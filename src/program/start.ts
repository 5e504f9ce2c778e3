import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { migrationFolders, readAppConfig, version } from '#app';
import { createLogger } from '#kernel/logger';
import { acquireRunLock } from '#kernel/run-lock';
import { createSteps } from '#kernel/steps';
import { onStopAsked, Supervisor } from '#kernel/supervisor';
import { buildConsole } from './build-console.ts';
import type { ChildMessage, ChildTerms } from './child-terms.ts';
import { type FirstRun, settleIn } from './first-run.ts';
import { readOptions, type StartOptions } from './options.ts';
import { choosePort } from './ports.ts';
import { migratePremises, openPremises, type Premises } from './prepare.ts';
import { printAccess } from './print-access.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const consoleDir = fileURLToPath(new URL('../../console/', import.meta.url));
const drainMs = 30_000;

/** `npm start`: brings the house up step by step, keeps its processes running, and takes it down in order when asked to. */
export async function start(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const config = readAppConfig();
  const lock = acquireRunLock(options.dataDir);
  const isTty = process.stdout.isTTY === true;
  const log = createLogger(config.LINTEL_LOG_LEVEL, { role: 'supervisor' });
  const quiet = isTty ? createLogger('warn', { role: 'supervisor' }) : log;
  const step = createSteps({ stream: process.stdout, isTty });
  let premises: Premises | undefined;
  const supervisor = new Supervisor({ log: quiet });
  let ending = false;
  const end = async (code: number) => {
    if (ending) return;
    ending = true;
    await supervisor.drain();
    await premises?.embedded?.stop();
    lock.release();
    process.exit(code);
  };
  onStopAsked('program', (reason) => {
    log.info({ reason }, 'draining');
    void end(0);
  });
  try {
    premises = await step(
      'PostgreSQL',
      () => openPremises(config, options.dataDir, quiet),
      (found) =>
        found.embedded === undefined ? 'DATABASE_URL' : found.embedded.created ? 'embedded, new' : 'embedded',
    );
    const here = premises;
    await step(
      'Migrations',
      () => migratePremises(here, migrationFolders),
      (ran) => (ran.length === 0 ? 'up to date' : `${ran.length} run`),
    );
    await step(
      'Console',
      () => buildConsole(consoleDir),
      (built) => (built ? 'built' : 'up to date'),
    );
    const port = await choosePort(options.host, options.port);
    const baseUrl = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;
    const firstRun = await step(
      options.demo ? 'Operator and demo tenants' : 'Operator',
      () => settleIn({ premises: here, config, options, baseUrl: config.LINTEL_PUBLIC_URL ?? baseUrl, log: quiet }),
      (found) => (found.created ? 'made' : 'there'),
    );
    await step(`Processes (${options.workers} front, 1 background)`, () =>
      startChildren({ supervisor, premises: here, options, port, baseUrl, firstRun }),
    );
    lock.publish(baseUrl);
    printAccess({ firstRun, baseUrl, isTty, dataDir: options.dataDir, log });
  } catch (error) {
    if (!ending) {
      await supervisor.drain().catch(() => undefined);
      await premises?.embedded?.stop();
    }
    lock.release();
    throw error;
  }
}

/** Starts background, fronts and the demo's traffic; resolves when all that answer are ready. */
async function startChildren(parts: {
  supervisor: Supervisor;
  premises: Premises;
  options: StartOptions;
  port: number;
  baseUrl: string;
  firstRun: FirstRun;
}): Promise<void> {
  const { supervisor, premises, options, port, baseUrl } = parts;
  const environment = (role: ChildTerms['role'], spool: string): NodeJS.ProcessEnv => {
    const spoolDir = join(options.dataDir, 'spool', spool);
    mkdirSync(spoolDir, { recursive: true });
    const terms: ChildTerms = {
      role,
      host: options.host,
      port,
      baseUrl,
      dataDir: options.dataDir,
      spoolDir,
      consoleDir: join(consoleDir, 'dist'),
    };
    // The admin account stays with the supervisor.
    const { DATABASE_ADMIN_URL: _, ...rest } = process.env;
    return {
      ...rest,
      DATABASE_URL: premises.url,
      LINTEL_ROOT_KEY: premises.rootKey,
      LINTEL_INTERNAL_CHILD: JSON.stringify(terms),
    };
  };
  const relay = new HashRelay();
  const background = awaitReady((ready) =>
    supervisor.supervise({
      name: 'background',
      drainMs,
      start: () => {
        const child = fork(main, ['child'], { env: environment('background', 'background') });
        relay.background = child;
        child.on('message', (message: ChildMessage) => (message.type === 'ready' ? ready() : relay.toFront(message)));
        return child;
      },
    }),
  );
  cluster.setupPrimary({ exec: main, args: ['child'] });
  const fronts = Array.from({ length: options.workers }, (_, index) =>
    awaitReady((ready) =>
      supervisor.supervise({
        name: `front-${index + 1}`,
        drainMs,
        start: () => {
          const worker = cluster.fork(environment('front', `front-${index + 1}`));
          relay.add(worker.process);
          worker.on('message', (message: ChildMessage) =>
            message.type === 'ready' ? ready() : relay.toBackground(worker.process, message),
          );
          return worker.process;
        },
      }),
    ),
  );
  await Promise.all([background, ...fronts]);
  const traffic = parts.firstRun.demo;
  if (options.demo && traffic !== undefined) {
    supervisor.supervise({
      name: 'demo',
      drainMs: 2_000,
      start: () =>
        fork(main, ['demo'], {
          env: { ...process.env, LINTEL_INTERNAL_DEMO: JSON.stringify({ baseUrl, dataDir: options.dataDir }) },
        }),
    });
  }
}

/** Carries password checks from the fronts to background and the answers back; nothing of them is kept or logged. */
class HashRelay {
  background: ChildProcess | undefined;
  readonly #fronts = new Map<number, ChildProcess>();

  add(front: ChildProcess): void {
    const { pid } = front;
    if (pid === undefined) return;
    this.#fronts.set(pid, front);
    front.once('exit', () => this.#fronts.delete(pid));
  }

  toBackground(front: ChildProcess, message: ChildMessage): void {
    if (message.type !== 'hash' || front.pid === undefined) return;
    if (this.background?.connected) this.background.send({ ...message, from: front.pid }, () => undefined);
    else
      front.send({ type: 'hashed', id: message.id, answer: { error: 'away' } } satisfies ChildMessage, () => undefined);
  }

  toFront(message: ChildMessage): void {
    if (message.type === 'hashed' && message.from !== undefined)
      this.#fronts.get(message.from)?.send(message, () => undefined);
  }
}

function awaitReady(begin: (ready: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('A process of Lintel did not come up within 60 s; its log says why.')),
      60_000,
    );
    begin(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
