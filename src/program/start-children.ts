import { type ChildProcess, fork } from 'node:child_process';
import cluster from 'node:cluster';
import { getCompileCacheDir } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { SupervisedChild, Supervisor } from '#kernel/supervisor';
import type { ChildMessage, ChildTerms } from './child-terms.ts';
import type { FirstRun } from './first-run.ts';
import { HashRelay } from './hash-relay.ts';
import type { StartOptions } from './options.ts';
import type { Premises } from './prepare.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
/** What a child has beyond its own limit to settle and close, milliseconds. */
const closeMs = 20_000;
const patienceMs = 60_000;

/** The running children. */
export type Children = {
  /** Calls that children which drain still wait for. */
  underWay(): number;
  /** Ends them: first the demo's traffic, then the fronts, which may still need background, then background. */
  drain(): Promise<void>;
};

/**
 * How a front collects garbage. Calls under way are what the collector copies: with room for more of them it runs seldom enough to
 * find most of them over. Its helpers leave one core to the rest: with V8's four on two cores every collection stops the calls for as
 * long as the system takes to come back to their thread (p99 of a steady load 15 ms against 40).
 */
function collecting(): string[] {
  const helpers = Math.min(4, Math.max(1, availableParallelism() - 1));
  return ['--max-semi-space-size=32', `--v8-pool-size=${helpers}`];
}

/** Starts background, fronts and the demo's traffic; resolves when all that answer are ready. */
export async function startChildren(parts: {
  supervisor: Supervisor;
  premises: Premises;
  options: StartOptions;
  port: number;
  baseUrl: string;
  firstRun: Promise<FirstRun>;
  consoleDir: string;
  /** Milliseconds that a child waits for its calls when it is to end. */
  drainMs: number;
}): Promise<Children> {
  const { supervisor, premises, options, port, baseUrl, consoleDir } = parts;
  // Known to a child before it begins: its first module comes from the cache too, and the loader of TypeScript stays away.
  const cacheDir = getCompileCacheDir();
  const compiled = cacheDir === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cacheDir) };
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
      ...compiled,
      LINTEL_INTERNAL_CHILD: JSON.stringify(terms),
    };
  };
  const relay = new HashRelay();
  const waiting = new Map<string, number>();
  const readiness: Promise<void>[] = [];
  type Told = (message: ChildMessage) => void;
  /** `start` spawns the child; what it says of itself goes to `told`, which hands on what is meant for others. */
  const supervise = (
    name: string,
    start: (told: (child: ChildProcess, handOn: Told) => Told) => ChildProcess,
  ): SupervisedChild => {
    let child: SupervisedChild | undefined;
    readiness.push(
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${name} did not come up within ${patienceMs / 1000} s; its log says why.`)),
          patienceMs,
        );
        child = supervisor.supervise({
          name,
          drainMs: parts.drainMs + closeMs,
          start: () =>
            start((self, handOn) => {
              self.once('exit', () => waiting.delete(name));
              return (message) => {
                if (message.type === 'under-way') waiting.set(name, message.calls);
                else if (message.type === 'ready') {
                  clearTimeout(timer);
                  resolve();
                } else handOn(message);
              };
            }),
        });
      }),
    );
    return child as unknown as SupervisedChild;
  };
  const background = supervise('background', (told) => {
    const child = fork(main, ['child'], { env: environment('background', 'background') });
    relay.background = child;
    child.on(
      'message',
      told(child, (message) => relay.toFront(message)),
    );
    return child;
  });
  cluster.setupPrimary({ exec: main, args: ['child'], execArgv: [...process.execArgv, ...collecting()] });
  const fronts = Array.from({ length: options.workers }, (_, index) => {
    const name = `front-${index + 1}`;
    return supervise(name, (told) => {
      const worker = cluster.fork(environment('front', name));
      relay.add(worker.process);
      worker.on(
        'message',
        told(worker.process, (message) => relay.toBackground(worker.process, message)),
      );
      return worker.process;
    });
  });
  await Promise.all(readiness);
  const demo =
    options.demo && (await parts.firstRun).demo !== undefined
      ? supervisor.supervise({
          name: 'demo',
          drainMs: 2_000,
          start: () => {
            // It is a client like any other: it knows its keys and no secret of the house.
            const { DATABASE_URL: _, DATABASE_ADMIN_URL: _admin, LINTEL_ROOT_KEY: _key, ...rest } = process.env;
            const terms = JSON.stringify({ baseUrl, dataDir: options.dataDir });
            return fork(main, ['demo'], { env: { ...rest, ...compiled, LINTEL_INTERNAL_DEMO: terms } });
          },
        })
      : undefined;
  return {
    underWay: () => [...waiting.values()].reduce((sum, calls) => sum + calls, 0),
    drain: async () => {
      await demo?.drain();
      await Promise.all(fronts.map((front) => front.drain()));
      await background.drain();
    },
  };
}
