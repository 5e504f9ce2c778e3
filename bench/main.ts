import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { question } from './answers.ts';
import { idleStreams, soak, startTimes } from './hold.ts';
import { addedFirstByte, addedLatency } from './latency.ts';
import { round } from './load.ts';
import { durableStep } from './runs.ts';
import { type Stage, setStage } from './stage.ts';
import { type Result, throughput } from './throughput.ts';

const parts = ['throughput', 'latency', 'streams', 'runs', 'workers', 'sse', 'starts', 'soak'] as const;
type Part = (typeof parts)[number];
const file = new URL('../docs/bench.json', import.meta.url);

process.exitCode = await main(process.argv.slice(2));
process.exit();

/** `npm run bench [-- part …] [--rounds N] [--soak] [--streams N]`: every part but the soak unless some are named. */
async function main(args: string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      soak: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '10' },
      streams: { type: 'string', default: '15000' },
      dry: { type: 'boolean', default: false },
      profiles: { type: 'string' },
    },
  });
  const numbers = [values.rounds, values.minutes, values.streams];
  if (
    positionals.some((name) => !parts.includes(name as Part)) ||
    numbers.some((text) => !/^[1-9]\d{0,5}$/.test(text))
  ) {
    say(
      `usage: bench [${parts.join(' | ')}] [--rounds N] [--soak] [--minutes N] [--streams N] [--profiles FOLDER] [--dry]`,
    );
    return 2;
  }
  const named = positionals as Part[];
  const asked = named.length > 0 ? named : parts.filter((part) => part !== 'soak' || values.soak);
  const rounds = Number(values.rounds);
  const wanted = new Set(values.soak ? [...asked, 'soak' as const] : asked);
  const { profiles } = values;
  const stage = await setStage({
    portkey: wanted.has('throughput') && profiles === undefined,
    ...(profiles === undefined ? {} : { profiles: resolve(profiles) }),
    say,
  });
  const found: Record<string, unknown> = {};
  try {
    let saturation: number | undefined;
    const saturated = async () => {
      saturation ??= (await throughput(stage, ['lintel'], { rounds: 1, say })).results['Lintel']?.perSecond.median ?? 0;
      return saturation;
    };
    const run: Record<Part, () => Promise<unknown>> = {
      throughput: async () => {
        const { results, identical } = await throughput(stage, ['bare', 'lintel', 'nginx', 'portkey'], { rounds, say });
        saturation = results['Lintel']?.perSecond.median;
        return { results, identical, ratios: ratiosOf(results) };
      },
      latency: async () => addedLatency(stage, (await saturated()) / 3, { rounds, say }),
      streams: async () => ({
        firstByte: await addedFirstByte(stage, stage.streamOrigin, { rounds, say }),
        relay: await relay(stage, rounds),
      }),
      runs: () => durableStep(stage, 20),
      workers: async () => {
        await stage.addWorkers();
        const { results, identical } = await throughput(stage, ['bare', 'lintel', 'workers'], { rounds, say });
        return {
          results,
          identical,
          twoToOne: over(results['Lintel --workers 2']?.perSecond.median, results['Lintel']?.perSecond.median),
        };
      },
      sse: () => idleStreams(stage, Number(values.streams), say),
      starts: () => startTimes(stage),
      soak: async () => soak(stage, (await saturated()) / 3, Number(values.minutes), say),
    };
    for (const part of parts.filter((each) => wanted.has(each))) {
      say(`— ${part}`);
      found[part] = await run[part]();
      say(JSON.stringify(found[part], undefined, 2));
    }
  } finally {
    await stage.close();
  }
  if (!values.dry) await keep(found);
  return 0;
}

/** Chunks per second and CPU of streams with 500 chunks each, Lintel beside the bare hop. */
async function relay(stage: Stage, rounds: number): Promise<unknown> {
  const { results, identical } = await throughput(stage, ['bare', 'lintel'], {
    rounds,
    say,
    body: question({ model: 'streams/bench', stream: true, max_tokens: 500 }),
    urls: { 'bare Node hop': stage.streams, 'bare Node hop again': stage.streams },
    pids: { 'bare Node hop': stage.streamHopPid, 'bare Node hop again': stage.streamHopPid },
  });
  const [bare, lintel] = [results['bare Node hop'], results['Lintel']];
  return {
    results,
    identical,
    throughput: over(lintel?.perSecond.median, bare?.perSecond.median),
    frontCpu: over(lintel?.cpuParts?.['front'], bare?.cpu.median),
  };
}

function ratiosOf(results: Record<string, Result>): Record<string, number> {
  const [bare, lintel] = [results['bare Node hop'], results['Lintel']];
  const portkey = Object.entries(results).find(([name]) => name.startsWith('@portkey'))?.[1];
  const nginx = results['nginx proxy_pass'];
  return {
    throughputToBare: over(lintel?.perSecond.median, bare?.perSecond.median),
    frontCpuToBare: over(lintel?.cpuParts?.['front'], bare?.cpu.median),
    allCpuToBare: over(lintel?.cpu.median, bare?.cpu.median),
    ...(nginx === undefined ? {} : { throughputToNginx: over(lintel?.perSecond.median, nginx.perSecond.median) }),
    ...(portkey === undefined ? {} : { throughputToPortkey: over(lintel?.perSecond.median, portkey.perSecond.median) }),
  };
}

function over(a: number | undefined, b: number | undefined): number {
  return round((a ?? Number.NaN) / (b ?? Number.NaN));
}

/** Writes what was measured beside the parts measured before. */
async function keep(found: Record<string, unknown>): Promise<void> {
  const kept = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as { parts: Record<string, unknown> },
    () => ({ parts: {} }),
  );
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  let commit = 'unknown';
  try {
    commit = `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '-uno') === '' ? '' : '+'}`;
  } catch {
    // Outside a clone.
  }
  const taken = { date: new Date().toISOString().slice(0, 10), commit };
  const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? '', node: process.version };
  const stamped = Object.fromEntries(
    Object.entries(found).map(([part, value]) => [part, { ...taken, ...(value as object) }]),
  );
  await mkdir(new URL('.', file), { recursive: true });
  await writeFile(file, `${JSON.stringify({ machine, parts: { ...kept.parts, ...stamped } }, undefined, 2)}\n`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
