import { expect, test } from 'vitest';

import { systemClock } from '#kernel/clock';
import { principalOf } from '#test/agent-house';
import { builtinTool } from './builtin-tools.ts';
import { ToolNotCalled } from './tool-functions.ts';

const principal = principalOf('01930000-0000-7000-8000-00000000000a');

test.each([
  ['out of the API', '/openapi.json'],
  ['to another host', 'http://127.0.0.1/v1/agents'],
  ['up a folder', '/v1/../healthz'],
  ['up a folder, encoded', '/v1/%2E%2e/healthz'],
  ['with a space', '/v1/agents x'],
  ['with half an escape', '/v1/%'],
  ['to a stream', '/v1/stream?topics=runs'],
  ['to a stream, encoded', '/v1/%73tream'],
  ['to the events of a run', '/v1/runs/run_1/events'],
  ['to the events of a run, encoded', '/v1/runs/run_1/%65vents?x'],
])('a path that leads %s is not asked for: %s', async (_where, path) => {
  const asked: string[] = [];
  const callApi = async (_principal: unknown, _method: string, at: string) => {
    asked.push(at);
    return { status: 200, body: {} };
  };
  const [read] = builtinTool('lintel', { clock: systemClock, callApi, principal }) ?? [];
  const call = (at: string) => read?.call({ path: at }, { key: 'k', seq: 1, signal: new AbortController().signal });
  await expect(async () => call(path)).rejects.toThrow(ToolNotCalled);
  expect(asked).toEqual([]);
  await call('/v1/usage?groupBy=day&from=2026-11-01T00:00:00Z');
  expect(asked).toHaveLength(1);
});
