import { expect, test, vi } from 'vitest';

import { newId } from '#kernel/ids';
import { Problem, problems } from '#kernel/problem';
import { principalOf } from '#test/agent-house';
import { followRun } from './follow-run.ts';
import { newRun } from './new-run.ts';
import { RunBell } from './run-stream.ts';
import type { Run } from './runs.ts';

const principal = principalOf(newId());
const run = newRun({
  tenantId: principal.tenantId,
  agentId: newId(),
  agentVersion: 1,
  agentName: 'helper',
  input: [],
  mode: 'live',
  demo: false,
  principal,
  guardrails: { maxSteps: 1, maxSeconds: 1 },
  createdAt: '2026-11-22T12:00:00Z',
});
const finished: Run = { ...run, status: 'finished', output: { text: 'Hello there', finishReason: 'stop' } };
const away = () => Promise.reject(new Problem(problems.unavailable));

/** Follows a run that is found as each of these in turn. */
function follow(found: (() => Promise<Run>)[], steps: () => Promise<never[]> = async () => []) {
  const bell = new RunBell();
  const texts: string[] = [];
  const looking = setInterval(() => bell.ring(run.id), 5);
  const runs = {
    getRun: () => (found.shift() as () => Promise<Run>)(),
    getSteps: steps,
    endForClient: async () => undefined,
  };
  const listener = { onText: (delta: string) => void texts.push(delta) };
  const driven = { run, steps: [], problem: undefined };
  return followRun({ runs, bell }, driven, undefined, { listener, streamed: 'Hello' })
    .finally(() => clearInterval(looking))
    .then((end) => ({ ...end, texts }));
}

test('a database that goes away late in a long run is waited for as at its beginning', async () => {
  const start = performance.now();
  const now = vi.spyOn(performance, 'now');
  const later = async () => {
    now.mockImplementation(() => start + 3_600_000);
    return run;
  };
  const end = await follow([async () => run, later, away, async () => finished]).finally(() => now.mockRestore());
  expect([end.run.status, end.texts]).toEqual(['finished', [' there']]);
});

test('the steps of a run that is over are waited for as well', async () => {
  let reads = 0;
  const end = await follow([async () => finished], () => (++reads === 2 ? away() : Promise.resolve([])));
  expect([end.run.status, end.problem]).toEqual(['finished', undefined]);
});
