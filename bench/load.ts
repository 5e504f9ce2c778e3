import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Agent } from 'undici';

const script = fileURLToPath(new URL('rotate-keys.lua', import.meta.url));
const execute = promisify(execFile);

/** What wrk measured. Latencies in milliseconds. */
export type Blast = { ok: number; errors: number; perSecond: number; p50: number; p99: number };

/** As many requests as `connections` clients can make in `seconds`, each with the next key of the file. */
export async function blast(
  url: string,
  keysFile: string,
  body: string,
  options: { seconds: number; connections: number; upstream: string },
): Promise<Blast> {
  const { stdout } = await execute(
    'wrk',
    [
      '-t1',
      `-c${options.connections}`,
      `-d${options.seconds}s`,
      '--timeout',
      '20s',
      '-s',
      script,
      url,
      '--',
      keysFile,
      body,
      `${options.upstream}/v1`,
    ],
    { maxBuffer: 1 << 20 },
  );
  const line = stdout.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`wrk said:\n${stdout}`);
  const { requests, micros, failed, broken, p50, p99 } = JSON.parse(line) as Record<string, number>;
  const ok = (requests ?? 0) - (failed ?? 0);
  return {
    ok,
    errors: (failed ?? 0) + (broken ?? 0),
    perSecond: ok / ((micros ?? 1) / 1e6),
    p50: (p50 ?? 0) / 1_000,
    p99: (p99 ?? 0) / 1_000,
  };
}

/** Latencies of a paced load, milliseconds, counted from when each request was due: waiting for a slow answer is not left out. */
export type Paced = { sent: number; errors: number; p50: number; p99: number };

/** Sends `perSecond` requests for `seconds`, whatever the answers take. */
export async function pace(
  url: URL,
  keys: readonly string[],
  body: string,
  options: { seconds: number; perSecond: number; connections?: number },
): Promise<Paced> {
  const agent = new Agent({ connections: options.connections ?? 64, pipelining: 1 });
  const total = Math.round(options.perSecond * options.seconds);
  const latencies: number[] = [];
  let errors = 0;
  let sent = 0;
  let open = 0;
  await new Promise<void>((resolve) => {
    const started = performance.now();
    const send = (due: number) => {
      const end = (ok: boolean) => {
        if (ok) latencies.push(performance.now() - due);
        else errors++;
        open--;
        if (open === 0 && sent === total) resolve();
      };
      let status = 0;
      open++;
      agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname,
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${keys[sent % keys.length]}` },
          body,
        },
        {
          onRequestStart: () => undefined,
          onResponseStart: (_controller, code) => {
            status = code;
          },
          onResponseData: () => undefined,
          onResponseEnd: () => end(status === 200),
          onResponseError: () => end(false),
        },
      );
      sent++;
    };
    const timer = setInterval(() => {
      const due = ((performance.now() - started) / 1_000) * options.perSecond;
      while (sent < total && sent <= due) send(started + (sent / options.perSecond) * 1_000);
      if (sent === total) clearInterval(timer);
    }, 1);
  });
  await agent.close();
  latencies.sort((a, b) => a - b);
  return { sent, errors, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}

/** Milliseconds to the first `data:` chunk of streams, `concurrency` at a time. */
export async function firstBytes(
  url: URL,
  keys: readonly string[],
  body: string,
  options: { streams: number; concurrency: number },
): Promise<number[]> {
  const agent = new Agent({ connections: options.concurrency, pipelining: 1 });
  const times: number[] = [];
  let begun = 0;
  const client = async () => {
    while (begun < options.streams) {
      const key = keys[begun++ % keys.length];
      const started = performance.now();
      await new Promise<void>((resolve, reject) => {
        let first = true;
        agent.dispatch(
          {
            origin: url.origin,
            path: url.pathname,
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
            body,
          },
          {
            onRequestStart: () => undefined,
            onResponseStart: (_controller, status) => {
              if (status !== 200) reject(new Error(`a stream was answered with ${status}`));
            },
            onResponseData: () => {
              if (first) times.push(performance.now() - started);
              first = false;
            },
            onResponseEnd: () => resolve(),
            onResponseError: (_controller, error) => reject(error),
          },
        );
      });
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, client));
  await agent.close();
  return times.sort((a, b) => a - b);
}

/** The value at a quantile of sorted numbers. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Median and spread of a few figures. */
export function spread(values: readonly number[]): { median: number; low: number; high: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
  return {
    median: round(median ?? Number.NaN),
    low: round(sorted[0] ?? Number.NaN),
    high: round(sorted.at(-1) ?? Number.NaN),
  };
}

/** To three significant digits. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}
