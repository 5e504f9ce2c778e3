import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What the command line of `start` says. */
export type StartOptions = {
  /** Undefined: 8080 or the next free one. */
  port: number | undefined;
  host: string;
  dataDir: string;
  demo: boolean;
  workers: number;
  /** Proxies whose X-Forwarded-* headers are believed, beside those of the environment. */
  trustedProxy: readonly string[];
};

/** A wrong command line: printed as it is, without a stack. */
export class UsageError extends Error {}

/** Reads the options of `start`; throws {@link UsageError} with what is wrong. */
export function readOptions(args: readonly string[]): StartOptions {
  let values: Record<string, string | boolean | string[] | undefined>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        port: { type: 'string' },
        host: { type: 'string', default: '127.0.0.1' },
        'data-dir': { type: 'string', default: '.lintel' },
        'no-demo': { type: 'boolean', default: false },
        workers: { type: 'string', default: '1' },
        'trusted-proxy': { type: 'string', multiple: true, default: [] },
      },
    }));
  } catch (error) {
    throw new UsageError(
      `${(error as Error).message}\nOptions: --port N --host ADDRESS --data-dir FOLDER --no-demo --workers N|auto --trusted-proxy ADDRESS`,
    );
  }
  return {
    trustedProxy: values['trusted-proxy'] as string[],
    port: values['port'] === undefined ? undefined : whole('--port', String(values['port']), 1, 65_535),
    host: String(values['host']),
    dataDir: resolve(String(values['data-dir'])),
    demo: values['no-demo'] !== true,
    workers:
      values['workers'] === 'auto' ? availableParallelism() : whole('--workers', String(values['workers']), 1, 64),
  };
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new UsageError(`${name} takes a whole number from ${min} to ${max}, not "${text}".`);
  return value;
}
