import { fork } from 'node:child_process';
import cluster from 'node:cluster';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { SupervisedChild, Supervisor } from '#kernel/supervisor';
import type { ChildMessage, ChildTerms } from './child-terms.ts';
import type { FirstRun } from './first-run.ts';
import { HashRelay } from './hash-relay.ts';
import type { StartOptions } from './options.ts';
import type { Premises } from './prepare.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const drainMs = 30_000;
const patienceMs = 60_000;

/** The running children. */
export type Children = {
  /** Ends them: first the demo's traffic, then the fronts, which may still need background, then background. */
  drain(): Promise<void>;
};

/** Starts background, fronts and the demo's traffic; resolves when all that answer are ready. */
export async function startChildren(parts: {
  supervisor: Supervisor;
  premises: Premises;
  options: StartOptions;
  port: number;
  baseUrl: string;
  firstRun: FirstRun;
  consoleDir: string;
}): Promise<Children> {
  const { supervisor, premises, options, port, baseUrl, consoleDir } = parts;
  const environment = (role: ChildTerms['role'], name: string): NodeJS.ProcessEnv => {
    const spoolDir = join(options.dataDir, 'spool', name);
    const terms: ChildTerms = {
      role,
      host: options.host,
      port,
      baseUrl,
      spoolDir,
      consoleDir: join(consoleDir, 'dist'),
    };
    // The admin account stays with the supervisor.
    const { DATABASE_ADMIN_URL: _, LINTEL_TRUSTED_PROXY: proxies, ...rest } = process.env;
    const trusted = [...(proxies === undefined || proxies === '' ? [] : [proxies]), ...options.trustedProxy].join(',');
    return {
      ...rest,
      DATABASE_URL: premises.url,
      LINTEL_ROOT_KEY: premises.rootKey,
      ...(trusted === '' ? {} : { LINTEL_TRUSTED_PROXY: trusted }),
      LINTEL_INTERNAL_CHILD: JSON.stringify(terms),
    };
  };
  const relay = new HashRelay();
  const readiness: Promise<void>[] = [];
  const supervise = (name: string, start: (ready: () => void) => ReturnType<typeof fork>): SupervisedChild => {
    let child: SupervisedChild | undefined;
    readiness.push(
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${name} did not come up within ${patienceMs / 1000} s; its log says why.`)),
          patienceMs,
        );
        child = supervisor.supervise({
          name,
          drainMs,
          start: () =>
            start(() => {
              clearTimeout(timer);
              resolve();
            }),
        });
      }),
    );
    return child as unknown as SupervisedChild;
  };
  const background = supervise('background', (ready) => {
    const child = fork(main, ['child'], { env: environment('background', 'background') });
    relay.background = child;
    child.on('message', (message: ChildMessage) => (message.type === 'ready' ? ready() : relay.toFront(message)));
    return child;
  });
  cluster.setupPrimary({ exec: main, args: ['child'] });
  const fronts = Array.from({ length: options.workers }, (_, index) => {
    const name = `front-${index + 1}`;
    return supervise(name, (ready) => {
      const worker = cluster.fork(environment('front', name));
      relay.add(worker.process);
      worker.on('message', (message: ChildMessage) =>
        message.type === 'ready' ? ready() : relay.toBackground(worker.process, message),
      );
      return worker.process;
    });
  });
  await Promise.all(readiness);
  const demo =
    options.demo && parts.firstRun.demo !== undefined
      ? supervisor.supervise({
          name: 'demo',
          drainMs: 2_000,
          start: () => {
            // It is a client like any other: it knows its keys and no secret of the house.
            const { DATABASE_URL: _, DATABASE_ADMIN_URL: _admin, LINTEL_ROOT_KEY: _key, ...rest } = process.env;
            const terms = JSON.stringify({ baseUrl, dataDir: options.dataDir });
            return fork(main, ['demo'], { env: { ...rest, LINTEL_INTERNAL_DEMO: terms } });
          },
        })
      : undefined;
  return {
    drain: async () => {
      await demo?.drain();
      await Promise.all(fronts.map((front) => front.drain()));
      await background.drain();
    },
  };
}
