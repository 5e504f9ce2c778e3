import { setTimeout as sleep } from 'node:timers/promises';

import { question } from './answers.ts';
import { firstBytes, pace, quantile, round, spread } from './load.ts';
import type { Stage } from './stage.ts';

/** Milliseconds that a hop adds to the provider's own at a steady rate, medians over rounds; the provider runs twice for comparison. */
export async function addedLatency(
  stage: Stage,
  perSecond: number,
  options: { rounds: number; say: (line: string) => void },
): Promise<Record<string, unknown>> {
  const targets = {
    provider: stage.upstream,
    bare: stage.contenders.bare.url,
    lintel: stage.contenders.lintel.url,
    'provider again': stage.upstream,
  };
  const p50: Record<string, number[]> = {};
  const p99: Record<string, number[]> = {};
  let errors = 0;
  for (let n = 0; n <= options.rounds; n++) {
    for (const [name, origin] of Object.entries(targets)) {
      const one = await pace(new URL('/v1/chat/completions', origin), stage.keys, question(), {
        seconds: 5,
        perSecond,
      });
      errors += one.errors;
      // The first round warms up.
      if (n === 0) continue;
      p50[name] = [...(p50[name] ?? []), one.p50];
      p99[name] = [...(p99[name] ?? []), one.p99];
      options.say(
        `round ${n} ${name} at ${Math.round(perSecond)}/s: p50 ${one.p50.toFixed(2)}, p99 ${one.p99.toFixed(2)} ms`,
      );
      await sleep(300);
    }
  }
  const added = (figures: Record<string, number[]>, name: string) =>
    spread((figures[name] ?? []).map((value, n) => value - (figures['provider']?.[n] ?? 0)));
  const identical = (figures: Record<string, number[]>) =>
    round(
      Math.max(
        ...(figures['provider'] ?? []).map((value, n) => {
          const other = figures['provider again']?.[n] ?? value;
          return Math.max(value, other) / Math.min(value, other);
        }),
      ),
    );
  return {
    perSecond: Math.round(perSecond),
    errors,
    addedP50Ms: { bare: added(p50, 'bare'), lintel: added(p50, 'lintel') },
    addedP99Ms: { bare: added(p99, 'bare'), lintel: added(p99, 'lintel') },
    identicalRuns: { p50: identical(p50), p99: identical(p99) },
  };
}

/** Milliseconds added to the first byte of a stream, medians over rounds. */
export async function addedFirstByte(
  stage: Stage,
  streamsOrigin: string,
  options: { rounds: number; say: (line: string) => void },
): Promise<Record<string, unknown>> {
  const body = question({ model: 'streams/bench', stream: true, max_tokens: 20 });
  const targets = { provider: streamsOrigin, bare: stage.streams, lintel: stage.contenders.lintel.url };
  const medians: Record<string, number[]> = {};
  for (let n = 0; n <= options.rounds; n++) {
    for (const [name, origin] of Object.entries(targets)) {
      const times = await firstBytes(new URL('/v1/chat/completions', origin), stage.keys, body, {
        streams: 300,
        concurrency: 4,
      });
      // The first round warms up.
      if (n > 0) medians[name] = [...(medians[name] ?? []), quantile(times, 0.5)];
    }
    options.say(
      `round ${n} first byte: ${Object.keys(targets)
        .map((name) => `${name} ${(medians[name]?.at(-1) ?? 0).toFixed(2)} ms`)
        .join(', ')}`,
    );
  }
  const added = (name: string) =>
    spread((medians[name] ?? []).map((value, n) => value - (medians['provider']?.[n] ?? 0)));
  return { addedP50Ms: { bare: added('bare'), lintel: added('lintel') } };
}
