import { setTimeout as sleep } from 'node:timers/promises';

import { question } from './answers.ts';
import { blast, round, spread } from './load.ts';
import { cpuBetween, cpuMicros } from './processes.ts';
import type { Contender, Stage } from './stage.ts';

/** One contender over all rounds. CPU in microseconds per answered request. */
export type Result = {
  perSecond: ReturnType<typeof spread>;
  p99Ms: ReturnType<typeof spread>;
  cpu: ReturnType<typeof spread>;
  cpuParts?: Record<string, number>;
  errors: number;
};

const seconds = 5;
/** Long enough for the engine to have compiled what is hot, of each contender. */
const warmUpSeconds = 10;
const connections = 128;

/**
 * Requests per second and CPU per request of each contender, in interleaved rounds; the bare hop runs twice in each round, so that
 * the ratio of two identical runs stands beside every figure. Throws when an answered call is not in `calls`: such figures are void.
 */
export async function throughput(
  stage: Stage,
  names: readonly (keyof Stage['contenders'])[],
  options: {
    rounds: number;
    say: (line: string) => void;
    body?: string;
    /** Other addresses and processes by contender's name: the same hop in front of another provider. */
    urls?: Partial<Record<string, string>>;
    pids?: Partial<Record<string, number>>;
  },
): Promise<{ results: Record<string, Result>; identical: { perSecond: number; p99: number } }> {
  const present = names.map((name) => stage.contenders[name]).filter((each) => each !== undefined);
  const order: Contender[] = [...present, { ...stage.contenders.bare, name: 'bare Node hop again' }];
  const body = options.body ?? question();
  const raw = new Map<
    string,
    { perSecond: number[]; p99: number[]; cpu: number[]; parts: Record<string, number>[]; errors: number }
  >();
  for (const each of order) {
    raw.set(each.name, { perSecond: [], p99: [], cpu: [], parts: [], errors: 0 });
    await run(stage, each, body, warmUpSeconds, options);
  }
  for (let n = 0; n < options.rounds; n++) {
    // Each round in another order: who comes after whom must not matter.
    for (let k = 0; k < order.length; k++) {
      const each = order[(k + n) % order.length] as Contender;
      const figures = raw.get(each.name);
      const one = await run(stage, each, body, seconds, options);
      figures?.perSecond.push(one.perSecond);
      figures?.p99.push(one.p99);
      figures?.cpu.push(one.cpu);
      figures?.parts.push(one.parts);
      if (figures !== undefined) figures.errors += one.errors;
      options.say(
        `round ${n + 1} ${each.name}: ${Math.round(one.perSecond)}/s, p99 ${one.p99.toFixed(1)} ms, ${Math.round(one.cpu)} µs CPU ${JSON.stringify(one.parts)}${one.errors > 0 ? `, ${one.errors} errors` : ''}`,
      );
      await sleep(300);
    }
  }
  const results: Record<string, Result> = {};
  for (const [name, { perSecond, p99, cpu, parts, errors }] of raw) {
    const cpuParts = Object.fromEntries(
      Object.keys(parts[0] ?? {}).map((part) => [part, spread(parts.map((each) => each[part] ?? 0)).median]),
    );
    results[name] = { perSecond: spread(perSecond), p99Ms: spread(p99), cpu: spread(cpu), cpuParts, errors };
  }
  const ratio = (of: 'perSecond' | 'p99') => {
    const [a, b] = ['bare Node hop', 'bare Node hop again'].map((name) => raw.get(name)?.[of] ?? []);
    const each = (a as number[]).map((value, n) => Math.max(value, b?.[n] ?? 0) / Math.min(value, b?.[n] ?? 0));
    return round(Math.max(...each));
  };
  return { results, identical: { perSecond: ratio('perSecond'), p99: ratio('p99') } };
}

async function run(
  stage: Stage,
  contender: Contender,
  body: string,
  length: number,
  other: { urls?: Partial<Record<string, string>>; pids?: Partial<Record<string, number>> },
) {
  const governed = contender.name.startsWith('Lintel');
  const pid = other.pids?.[contender.name];
  const groupsNow = (): Record<string, readonly number[]> => ({
    all: pid === undefined ? contender.pids() : [pid],
    ...contender.parts?.(),
  });
  const look = () => Object.entries(groupsNow()).map(([part, pids]) => [part, cpuMicros(pids)] as const);
  const before = new Map(look());
  const [started] = await stage.ground.query<{ now: string }>('SELECT clock_timestamp()::text AS now');
  const url = `${other.urls?.[contender.name] ?? contender.url}/v1/chat/completions`;
  const one = await blast(url, stage.keysFile, body, { seconds: length, connections, upstream: stage.upstream });
  const used = Object.fromEntries(
    look().map(([part, after]) => [part, cpuBetween(before.get(part) ?? new Map(), after) / Math.max(1, one.ok)]),
  );
  if (governed) await findAll(stage, started?.now as string, one.ok);
  const { all = 0, ...rest } = used;
  return {
    ...one,
    cpu: all,
    parts: Object.fromEntries(Object.entries(rest).map(([part, value]) => [part, Math.round(value)])),
  };
}

/** Every counted call must be in `calls`; of those cut off at the end there may be some more. */
async function findAll(stage: Stage, since: string, counted: number): Promise<void> {
  let found = 0;
  for (let tries = 0; tries < 20; tries++) {
    const [row] = await stage.ground.query<{ n: string }>(
      "SELECT count(*) AS n FROM calls WHERE at >= date_trunc('milliseconds', $1::timestamptz) AND kind = 'chat' AND status = 'ok'",
      [since],
    );
    found = Number(row?.n);
    if (found >= counted && found <= counted + connections) return;
    await sleep(200);
  }
  throw new Error(`void: ${counted} calls were answered, ${found} are in calls`);
}
