import { setTimeout as sleep } from 'node:timers/promises';

import { freePort, type Installation, startInstallation } from '#test/installation';
import { question } from './answers.ts';
import { pace, round } from './load.ts';
import { residentBytes, startScript } from './processes.ts';
import type { Stage } from './stage.ts';

/** How many idle event streams one front holds, and the memory of each. */
export async function idleStreams(
  stage: Stage,
  wanted: number,
  say: (line: string) => void,
): Promise<Record<string, unknown>> {
  const front = await frontOf(stage.lintel);
  const before = residentBytes(front);
  const half = Math.ceil(wanted / 2);
  const port = new URL(stage.lintel.url).port;
  const started = performance.now();
  const clients = await Promise.all(
    [half, wanted - half].map((count, n) =>
      startScript('sse-clients.ts', [port, stage.keys[0] as string, String(count), String(2 + 10 * n)]),
    ),
  );
  try {
    type State = { open: number; failed: number; done: boolean };
    const ask = () =>
      Promise.all(
        clients.map(
          ({ child }) =>
            new Promise<State>((resolve) => {
              child.once('message', (state) => resolve(state as State));
              child.send('how many');
            }),
        ),
      );
    let states = await ask();
    while (!states.every(({ done }) => done)) {
      await sleep(1_000);
      states = await ask();
      say(`${states.reduce((sum, { open }) => sum + open, 0)} streams are open`);
    }
    const seconds = (performance.now() - started) / 1_000;
    await sleep(5_000);
    states = await ask();
    const open = states.reduce((sum, state) => sum + state.open, 0);
    const call = await pace(new URL('/v1/chat/completions', stage.lintel.url), stage.keys, question(), {
      seconds: 3,
      perSecond: 100,
    });
    return {
      open,
      failed: states.reduce((sum, state) => sum + state.failed, 0),
      seconds: Math.round(seconds),
      bytesPerStream: Math.round((residentBytes(front) - before) / open),
      callsMeanwhile: { sent: call.sent, errors: call.errors, p50Ms: round(call.p50) },
    };
  } finally {
    for (const client of clients) await client.stop();
  }
}

/** Memory under a steady load: the least of each minute, bytes; flat when the last minute's is at most 1.15 times that at 30 %. */
export async function soak(
  stage: Stage,
  perSecond: number,
  minutes: number,
  say: (line: string) => void,
): Promise<Record<string, unknown>> {
  const children = await stage.lintel.children();
  const least: Record<string, number[]> = { front: [], background: [] };
  let errors = 0;
  let calls = 0;
  for (let minute = 0; minute < minutes; minute++) {
    const sampled: Record<string, number[]> = { front: [], background: [] };
    const timer = setInterval(() => {
      for (const { role, pid } of children) sampled[role]?.push(residentBytes(pid));
    }, 1_000);
    const one = await pace(new URL('/v1/chat/completions', stage.lintel.url), stage.keys, question(), {
      seconds: 60,
      perSecond,
    });
    clearInterval(timer);
    errors += one.errors;
    calls += one.sent;
    for (const role of ['front', 'background'] as const) least[role]?.push(Math.min(...(sampled[role] ?? [])));
    say(
      `minute ${minute + 1}: front ${Math.round((least['front']?.at(-1) ?? 0) / 1e6)} MB, background ${Math.round((least['background']?.at(-1) ?? 0) / 1e6)} MB`,
    );
  }
  const growth = (values: number[]) => round((values.at(-1) ?? 0) / (values[Math.floor(values.length * 0.3)] ?? 1));
  return {
    minutes,
    perSecond: Math.round(perSecond),
    calls,
    errors,
    growth: { front: growth(least['front'] ?? []), background: growth(least['background'] ?? []) },
    megabytes: Object.fromEntries(
      Object.entries(least).map(([role, values]) => [role, values.map((value) => Math.round(value / 1e6))]),
    ),
  };
}

/** Seconds to the first answer of a new data folder (an empty one, nothing built before but the console), and of the next start. */
export async function startTimes(stage: Stage): Promise<Record<string, unknown>> {
  const start = async () => {
    const installation = await startInstallation(stage.ground, 'fresh', { standalone: true, port: await freePort() });
    const ms = installation.readyMs;
    await installation.stop();
    return round(ms / 1_000);
  };
  return { firstSeconds: await start(), secondSeconds: await start() };
}

async function frontOf(installation: Installation): Promise<number> {
  const front = (await installation.children()).find(({ role }) => role === 'front');
  if (front === undefined) throw new Error('there is no front');
  return front.pid;
}
