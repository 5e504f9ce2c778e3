import type { Logger } from '#kernel/logger';

/** How often an operator is told what a stop waits for, milliseconds; the first time after a fifth of it, when there is something to tell. */
const everyMs = 5_000;

/** Tells, as long as calls are under way, how many a stop waits for and for how long; returns what ends that. On a terminal as a line, else in the log. */
export function reportDrain(parts: {
  calls: () => number;
  limitMs: number;
  isTty: boolean;
  stream: { write(text: string): unknown };
  log: Pick<Logger, 'info'>;
}): () => void {
  const { calls, limitMs, isTty, stream, log } = parts;
  const started = performance.now();
  const tell = () => {
    const count = calls();
    if (count === 0) return;
    const seconds = Math.max(0, Math.ceil((limitMs - (performance.now() - started)) / 1000));
    if (isTty) {
      const what = `${count} ${count === 1 ? 'call' : 'calls'}`;
      stream.write(`Waiting for ${what} to end, ${seconds} s at most. Press Ctrl-C again to end now.\n`);
    } else log.info({ calls: count, seconds }, 'waiting for calls to end; a second SIGTERM ends them now');
  };
  const first = setTimeout(tell, everyMs / 5);
  const timer = setInterval(tell, everyMs);
  return () => {
    clearTimeout(first);
    clearInterval(timer);
  };
}
