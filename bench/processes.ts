import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Microseconds of CPU, user and system, that each process has used so far; those that are gone are left out. */
export function cpuMicros(pids: readonly number[]): ReadonlyMap<number, number> {
  const used = new Map<number, number>();
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      used.set(pid, ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6);
    } catch {
      // Ended between two looks.
    }
  }
  return used;
}

/** Microseconds used between two looks by the processes that are there at the second. */
export function cpuBetween(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  let sum = 0;
  for (const [pid, used] of after) sum += used - (before.get(pid) ?? 0);
  return sum;
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** The processes below these, themselves included. */
export function familyOf(...roots: readonly number[]): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // Ended between two looks.
    }
  }
  const family = new Set(roots);
  for (let before = 0; before !== family.size; ) {
    before = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

/** A helper process of the bench. */
export type Helper = { pid: number; stop(): Promise<void> };

function helper(child: ChildProcess): Helper {
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid as number,
    stop: () => {
      child.kill('SIGTERM');
      return gone;
    },
  };
}

/** Starts a script of this folder that says `ready`. */
export async function startScript(file: string, args: readonly string[]): Promise<Helper & { child: ChildProcess }> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
  });
  return { ...helper(child), child };
}

/** Starts a command and waits until its port answers HTTP. */
export async function startCommand(
  command: string,
  args: readonly string[],
  url: string,
  env: Record<string, string> = {},
): Promise<Helper> {
  const child = spawn(command, [...args], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  for (const end = performance.now() + 30_000; ; await sleep(50)) {
    if (ended || performance.now() > end) throw new Error(`${command} did not start`);
    const answer = await fetch(url).catch(() => undefined);
    await answer?.text();
    if (answer !== undefined) return helper(child);
  }
}

/** Starts an nginx with one server; undefined where there is no nginx. */
export async function startNginx(
  dir: string,
  name: string,
  port: number,
  location: string,
  upstream = '',
): Promise<Helper | undefined> {
  if (!has('nginx')) return undefined;
  const file = join(dir, `${name}.conf`);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${dir}/${name}-${kind};`)
    .join(' ');
  await writeFile(
    file,
    `worker_processes 1; daemon off; pid ${dir}/${name}.pid; error_log stderr crit;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 100000000; ${temp} client_body_buffer_size 64k; ${upstream}
  server { listen 127.0.0.1:${port} backlog=1024; location / { ${location} } } }`,
  );
  return startCommand('nginx', ['-c', file, '-p', dir, '-e', 'stderr'], `http://127.0.0.1:${port}/`);
}

/** Whether a command is there. */
export function has(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Gets Debian packages when this is Debian and we are root; says what is missing otherwise. */
export function ensureTools(say: (line: string) => void): void {
  const wanted = { wrk: 'wrk', nginx: 'nginx-light' };
  const missing = Object.entries(wanted).filter(([command]) => !has(command));
  if (missing.length === 0) return;
  if (process.getuid?.() === 0 && has('apt-get')) {
    const packages = missing.map(([, name]) => name);
    say(`installing ${packages.join(', ')} with apt-get`);
    const apt = (args: string[]) =>
      execFileSync('apt-get', args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
    apt(['update', '-qq']);
    apt(['install', '-y', '-qq', '--no-install-recommends', ...packages]);
  }
  if (!has('wrk')) throw new Error('The bench needs wrk (Debian: apt-get install wrk).');
  if (!has('nginx')) say('nginx is not here: its hop is left out, a Node server answers as the provider');
}
