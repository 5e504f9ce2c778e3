import { expect, test } from 'vitest';

import { eventsOfRun, RunBell } from './run-stream.ts';
import type { Run, Step } from './runs.ts';

test('steps done out of order get their ids in order, so that a reader can resume after any', async () => {
  const bell = new RunBell();
  const states = [
    ['done', 'pending', 'done'],
    ['done', 'done', 'done'],
  ] as const;
  let at = 0;
  const seen: unknown[] = [];
  const read = {
    run: async () => ({ status: at === 0 ? 'waiting' : 'finished' }) as Run,
    steps: async (from: number) => states[at as 0 | 1].map((status, seq) => ({ seq, status }) as Step).slice(from),
    bell,
    mayStay: () => true,
  };
  for await (const event of eventsOfRun(read, 'r', -1, new AbortController().signal)) {
    seen.push(event.event === 'run' ? event.data.status : (event.id ?? `${event.data.seq} ${event.data.status}`));
    if (event.event === 'run') {
      at = 1;
      bell.ring('r');
    }
  }
  expect(seen).toEqual([0, '1 pending', '2 done', 'waiting', 1, 2, 'finished']);
});
