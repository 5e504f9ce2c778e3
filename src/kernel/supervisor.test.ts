import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { BackOff, type SupervisedChild, Supervisor } from '#kernel/supervisor';

const lines: string[] = [];
const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
const backOff = { firstMs: 20, maxMs: 50, healthyMs: 10_000 };
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  lines.length = 0;
});

/** A child as Lintel's are: says `ready`, tells why it stops, and ends. */
const wellBehaved = `
  import { onStopAsked } from '#kernel/supervisor';
  onStopAsked('child', (reason) => console.log('stop ' + reason));
  console.log('ready');`;

function run(program: string, role: { env?: NodeJS.ProcessEnv } = {}): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { ...process.env, ...role.env },
  });
  children.push(child);
  return child;
}

/** Collects what a child prints; `until` waits for a line. */
function output(child: ChildProcess) {
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  const until = async (wanted: string) => {
    for (const deadline = performance.now() + 10_000; !text.includes(wanted); await sleep(10)) {
      if (performance.now() > deadline) throw new Error(`no "${wanted}" in: ${text}`);
    }
  };
  return { until, all: () => text };
}

async function eventually(what: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !what(); await sleep(10)) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
  }
}

/** A supervised child whose processes and their output are kept, one per life. */
function superviseProgram(
  program: string,
  drainMs = 5_000,
): { child: SupervisedChild; supervisor: Supervisor; lives: ReturnType<typeof output>[] } {
  const lives: ReturnType<typeof output>[] = [];
  const supervisor = new Supervisor({ log, backOff });
  const start = () => {
    const started = run(program);
    lives.push(output(started));
    return started;
  };
  return { child: supervisor.supervise({ name: 'front', start, drainMs }), supervisor, lives };
}

test('the back-off starts at once, doubles to its maximum, and forgets after a healthy life', () => {
  const delays = new BackOff({ firstMs: 100, maxMs: 1_000, healthyMs: 5_000 });
  expect([0, 0, 0, 0, 0, 4_999].map((lived) => delays.nextDelay(lived))).toEqual([0, 100, 200, 400, 800, 1_000]);
  expect(delays.nextDelay(5_000)).toBe(0);
  expect(delays.nextDelay(0)).toBe(100);
  expect(delays.shortLives).toBe(2);
});

test('a child that dies is started again; drain asks it by message and starts no other', async () => {
  const { child, supervisor, lives } = superviseProgram(wellBehaved);
  await lives[0]?.until('ready');
  child.process?.kill('SIGKILL');
  await eventually(() => lives.length === 2);
  await lives[1]?.until('ready');
  expect(lines).toEqual(['front: ended (SIGKILL), next start in 0 ms']);
  await supervisor.drain();
  expect(lives[1]?.all()).toBe('ready\nstop drain\n');
  expect(child.process).toBeUndefined();
  expect(lives).toHaveLength(2);
});

test('a program that cannot be started is tried again with a back-off, and draining ends that', async () => {
  const supervisor = new Supervisor({ log, backOff });
  const child = supervisor.supervise({ name: 'lost', start: () => spawn('/nonexistent/program'), drainMs: 1_000 });
  supervisor.supervise({
    name: 'thrown',
    start: () => {
      throw new Error('no ports left');
    },
    drainMs: 1_000,
  });
  await eventually(
    () => lines.filter((line) => line.startsWith('lost: ended (spawn /nonexistent/program ENOENT)')).length >= 3,
  );
  await eventually(() => lines.filter((line) => line.startsWith('thrown: ended (Error: no ports left)')).length >= 3);
  await supervisor.drain();
  expect(child.process).toBeUndefined();
  const count = lines.length;
  await sleep(200);
  expect(lines).toHaveLength(count);
});

test('a child that does not drain gets SIGTERM, and SIGKILL if that does not help', async () => {
  const deaf = superviseProgram(
    `process.on('message', () => {}); console.log('ready'); setInterval(() => {}, 1000);`,
    100,
  );
  const stubborn = superviseProgram(
    `process.on('message', () => {}); process.on('SIGTERM', () => console.log('no')); console.log('ready'); setInterval(() => {}, 1000);`,
    100,
  );
  await Promise.all([deaf, stubborn].map(({ lives }) => lives[0]?.until('ready')));
  const processes = [deaf, stubborn].map(({ child }) => child.process as ChildProcess);
  await Promise.all([deaf.supervisor.drain(), stubborn.supervisor.drain()]);
  expect(processes.map(({ signalCode }) => signalCode)).toEqual(['SIGTERM', 'SIGKILL']);
});

test('a child ignores what a terminal or systemd sends to the whole group, and stops once when the program asks', async () => {
  const child =
    run(`${wellBehaved} process.on('SIGINT', () => console.log('saw SIGINT')); process.on('SIGHUP', () => console.log('saw SIGHUP'));
    process.on('SIGTERM', () => console.log('saw SIGTERM')); setTimeout(() => {}, 1_500);`);
  const { until, all } = output(child);
  const ended = once(child, 'exit');
  await until('ready');
  child.kill('SIGHUP');
  await until('saw SIGHUP');
  child.kill('SIGINT');
  await until('saw SIGINT');
  child.kill('SIGTERM');
  await until('saw SIGTERM');
  expect(all()).not.toContain('stop');
  child.send({ type: 'drain' });
  await until('stop drain');
  child.send({ type: 'drain' });
  expect(await ended).toEqual([0, null]);
  expect(all().match(/stop/g)).toHaveLength(1);
});

test.each(['SIGINT', 'SIGHUP', 'SIGTERM'] as const)('a program stops on %s', async (signal) => {
  const child = run(wellBehaved.replace(`'child'`, `'program'`));
  const { until } = output(child);
  const ended = once(child, 'exit');
  await until('ready');
  child.kill(signal);
  await until(`stop ${signal}`);
  expect(await ended).toEqual([0, null]);
});

test('a process whose parent is gone is told, even when that happened before it listened', async () => {
  const early = run(
    `process.once('disconnect', () => console.log('cut')); await new Promise((resolve) => setTimeout(resolve, 300)); ${wellBehaved
      .replace('import { onStopAsked } from', 'const { onStopAsked } = await import(')
      .replace(`supervisor';`, `supervisor');`)}`,
  );
  const late = run(wellBehaved);
  const outputs = [early, late].map(output);
  await outputs[1]?.until('ready');
  early.disconnect();
  late.disconnect();
  for (const { until } of outputs) await until('stop parent-gone');
});

test('a cluster worker whose primary is killed drains instead of being cut', async () => {
  const primary = run(`
    import cluster from 'node:cluster';
    cluster.setupPrimary({ execArgv: ['--input-type=module', '-e', ${JSON.stringify(`
      import cluster from 'node:cluster';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { onStopAsked } from '#kernel/supervisor';
      onStopAsked('child', async (reason) => { await sleep(200); console.log('drained after ' + reason); });
      process.send(cluster.worker ? 'ready' : 'no worker');`)}], exec: 'worker' });
    cluster.fork().on('message', (message) => console.log(message));`);
  const { until } = output(primary);
  await until('ready');
  primary.kill('SIGKILL');
  await until('drained after parent-gone');
});

/** Drains for ever, until whoever asked cannot wait. */
const patient = `
  import { onStopAsked } from '#kernel/supervisor';
  onStopAsked('ROLE', (reason) => console.log('stop ' + reason), () => { console.log('hurry'); process.exit(0); });
  setInterval(() => {}, 1000);
  console.log('ready');`;

test('who drains is hurried, those drained later too', async () => {
  const { child, supervisor, lives } = superviseProgram(patient.replace('ROLE', 'child'), 60_000);
  const later = superviseProgram(patient.replace('ROLE', 'child'), 60_000);
  await Promise.all([lives[0]?.until('ready'), later.lives[0]?.until('ready')]);
  const drained = child.drain();
  await lives[0]?.until('stop drain');
  supervisor.hurry();
  await drained;
  expect(lives[0]?.all()).toBe('ready\nstop drain\nhurry\n');
  later.supervisor.hurry();
  await later.child.drain();
  expect(later.lives[0]?.all()).toBe('ready\nstop drain\nhurry\n');
  expect(lines).toEqual([]);
});

test('a program is hurried by a second Ctrl-C, not by the same one coming by another way', async () => {
  const child = run(patient.replace('ROLE', 'program'));
  const { until, all } = output(child);
  const ended = once(child, 'exit');
  await until('ready');
  child.kill('SIGINT');
  child.send({ type: 'drain' });
  await until('stop');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  child.kill('SIGHUP');
  await sleep(700);
  expect(all()).not.toContain('hurry');
  child.kill('SIGHUP');
  child.send({ type: 'drain' });
  await sleep(200);
  expect(all()).not.toContain('hurry');
  child.kill('SIGINT');
  expect(await ended).toEqual([0, null]);
  expect(all()).toMatch(/^ready\nstop (SIGINT|drain)\nhurry\n$/);
});
