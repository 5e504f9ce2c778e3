// What `npm start` and `npm test` run: any Node >= 20, nothing installed yet. Installs, then hands over to the pinned runtime.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureChromium } from './browser.mjs';
import { ensureInstalled } from './install.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What each command runs, in order, under the pinned runtime. `drains`: stopped by an IPC message, and when the pipe closes. */
const commands = {
  // A word stands for another command of the program: doctor, reset, modules.
  start: (args) =>
    args[0]?.startsWith('-') === false
      ? [{ run: ['src/main.ts', ...args] }]
      : [{ drains: true, run: ['src/main.ts', 'start', ...args] }],
  test: (args) =>
    args.length > 0
      ? [vitest(args)]
      : [...checks, vitest([]), { name: 'PostgreSQL 15', run: ['test/run-on-postgres-15.ts'] }],
  prove: (args) => [{ run: ['prove/main.ts', ...args] }],
  bench: (args) => [{ run: ['bench/main.ts', ...args] }],
};

const checks = [
  { name: 'Biome', run: ['node_modules/@biomejs/biome/bin/biome', 'check'] },
  { name: 'TypeScript', run: ['node_modules/typescript/bin/tsc', '--noEmit'] },
  { name: 'TypeScript (console)', run: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'console'] },
  { name: 'TypeScript (sdk)', run: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'sdk'] },
  { name: 'knip', run: ['node_modules/knip/bin/knip.js'] },
];

const vitest = (args) => ({ name: 'Vitest', browser: true, run: ['node_modules/vitest/vitest.mjs', 'run', ...args] });

/** The child of this moment and how to stop it; the first request to stop, by signal name, and when it came. */
let current;
let stopping;
let stoppedAt;

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  if (!stopping) console.error(error.message);
  return stopping ? 128 + constants.signals[stopping] : 1;
});
process.exit();

async function main([name = '', ...args]) {
  if (!Object.hasOwn(commands, name))
    throw new Error(`usage: launch.mjs ${Object.keys(commands).join('|')} [arguments]`);
  // A terminal that went away must not turn a line of output into a crash.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => stop(signal));
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, insist);
  watchShell();
  const runtime = await ensureInstalled(root, { say, run: attend });
  for (const step of commands[name](args)) {
    const code = await runStep(runtime, step);
    if (code !== 0) return code;
  }
  return 0;
}

async function runStep(runtime, step) {
  const env = {
    // glibc gives every thread an arena of its own and keeps what was freed there: resident memory creeps up by a quarter while the heap is flat.
    MALLOC_ARENA_MAX: '2',
    ...process.env,
    PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH ?? ''}`,
  };
  if (step.name) env.NODE_ENV = 'test';
  // Where src/main.ts keeps compiled modules: known before it begins, it need not be compiled itself.
  if (step.drains) env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/lintel');
  const chromium = step.browser && ensureChromium(root, runtime, say);
  if (chromium) env.CHROMIUM_PATH = chromium;
  const started = performance.now();
  const child = spawn(runtime, step.run, {
    cwd: root,
    env,
    stdio: ['inherit', 'inherit', 'inherit', ...(step.drains ? ['ipc'] : [])],
  });
  const code = await attend(child, (signal, again) => {
    if (child.connected) child.send({ type: again ? 'hurry' : 'drain' }, () => {});
    // The terminal has given its SIGINT to the child too; a second one would make tools give up their clean-up.
    else if (signal !== 'SIGINT' && !again) child.kill(signal);
  });
  if (step.name)
    say(`${step.name}: ${code === 0 ? 'passed' : 'failed'} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return code;
}

/** Waits for a child, passing on requests to stop; resolves with its exit code, or 128 + signal. */
function attend(child, end) {
  return new Promise((resolve, reject) => {
    if (stopping) end(stopping);
    current = end;
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      current = undefined;
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

function stop(signal) {
  const first = stopping === undefined;
  stopping ??= signal;
  stoppedAt ??= performance.now();
  if (current && first) current(signal);
  else if (!current) process.exit(128 + constants.signals[signal]);
}

/** A second Ctrl-C or SIGTERM: whoever stops us will not wait for calls. What comes within half a second is the first one by another way. */
function insist() {
  if (current && performance.now() - stoppedAt >= 500) current(stopping, true);
}

/**
 * npm passes SIGTERM to the shell it runs scripts in, and a shell that has not replaced itself by us dies of it alone: its loss is the
 * signal. (SIGKILL of npm leaves that shell alive, and us with it. Where we are npm's own child, the signal comes to us.)
 */
function watchShell() {
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === undefined || !/^-?(ba|da|a|k|z)?sh$/.test(commandOf(parent))) return;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop('SIGTERM');
  }, 200);
  watch.unref();
}

function commandOf(pid) {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    return basename(execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).trim());
  } catch {
    return '';
  }
}

function say(line) {
  console.log(process.stdout.isTTY ? `\x1b[2m▸ ${line}\x1b[0m` : line);
}
