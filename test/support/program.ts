import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** What the first start hands over (first-run.json). */
export type FirstRunFile = {
  baseUrl: string;
  loginUrl: string;
  operatorEmail: string;
  operatorKey: string;
  demo?: { tenantId: string; apiKey: string; agent: string; curl: string };
};

/** The real program, started as an operator would. */
export type RunningProgram = {
  child: ChildProcess;
  url: string;
  dataDir: string;
  first: FirstRunFile;
  output(): string;
  stop(): Promise<number | null>;
  remove(): Promise<void>;
};

/** A port of loopback that is free at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Starts the program, of this checkout unless `program` names another's, and waits until it is ready; throws with its output when it is not in time. */
export async function startProgram(
  args: string[] = [],
  env: Record<string, string> = {},
  dataDir?: string,
  program = main,
): Promise<RunningProgram> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'lintel-program-')));
  const port = await freePort();
  const child = spawn(process.execPath, [program, 'start', '--port', String(port), '--data-dir', folder, ...args], {
    env: { ...withoutLintel(process.env), NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (said += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + 90_000;
  while (!said.includes('Lintel is ready')) {
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`The program did not come up:\n${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    child,
    url,
    dataDir: folder,
    first: JSON.parse(await readFile(join(folder, 'first-run.json'), 'utf8')) as FirstRunFile,
    output: () => said,
    stop: async () => {
      if (child.exitCode === null) child.kill('SIGTERM');
      return ended;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The environment without variables of Lintel: the test's own must not reach the program. */
function withoutLintel(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('LINTEL_') && !name.startsWith('DATABASE_')),
  );
}
