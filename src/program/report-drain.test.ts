import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { reportDrain } from './report-drain.ts';

beforeEach(
  () =>
    void vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'] }),
);
afterEach(() => void vi.useRealTimers());

test('a stop tells what it waits for every few seconds, as long as there is something, until it has ended', () => {
  let calls = 2;
  let said = '';
  const logged: unknown[] = [];
  const parts = {
    calls: () => calls,
    limitMs: 300_000,
    stream: { write: (text: string) => (said += text) },
    log: { info: (about: unknown) => void logged.push(about) },
  };
  const ends = [reportDrain({ ...parts, isTty: true }), reportDrain({ ...parts, isTty: false })];
  vi.advanceTimersByTime(1_000);
  calls = 1;
  vi.advanceTimersByTime(4_000);
  calls = 0;
  vi.advanceTimersByTime(5_000);
  calls = 1;
  for (const end of ends) end();
  vi.advanceTimersByTime(20_000);
  expect(said).toBe(
    'Waiting for 2 calls to end, 299 s at most. Press Ctrl-C again to end now.\n' +
      'Waiting for 1 call to end, 295 s at most. Press Ctrl-C again to end now.\n',
  );
  expect(logged).toEqual([
    { calls: 2, seconds: 299 },
    { calls: 1, seconds: 295 },
  ]);
});
