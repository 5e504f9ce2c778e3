import { afterEach, expect, test, vi } from 'vitest';

import { IndexCache } from './index-cache.ts';
import { createToolIndex, prepareTool } from './rank-tools.ts';
import type { RouterTool } from './types.ts';

vi.mock('./rank-tools.ts', { spy: true });
afterEach(() => void vi.clearAllMocks());

const toolsOf = (name: string, count = 3): RouterTool[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `${name}_${i}`,
    description: `Does ${name} number ${i}.`,
    inputSchema: { type: 'object', properties: { city: { type: 'string', description: 'A city.' } } },
  }));
const made = () => vi.mocked(createToolIndex).mock.calls.length;

test('a list is prepared once, however often it comes and in whatever object', async () => {
  const cache = new IndexCache();
  const index = cache.of(toolsOf('weather'));
  expect(cache.of(toolsOf('weather'))).toBe(index);
  await cache.prepare(toolsOf('weather'));
  expect(made()).toBe(1);
  expect(vi.mocked(prepareTool)).toHaveBeenCalledTimes(3);
  expect(cache.of(toolsOf('weather', 2))).not.toBe(index);
  expect(made()).toBe(2);
});

test('what is prepared in turns is what is prepared at once, made once for all who ask meanwhile, and lets others go on', async () => {
  const cache = new IndexCache();
  const tools = toolsOf('weather', 400);
  let turns = 0;
  const ticking = setInterval(() => turns++, 0);
  await Promise.all([cache.prepare(tools), cache.prepare(tools)]);
  clearInterval(ticking);
  expect(vi.mocked(prepareTool)).toHaveBeenCalledTimes(400);
  expect(made()).toBe(1);
  expect(turns).toBeGreaterThan(0);
  const kept = cache.of(tools);
  expect(made()).toBe(1);
  expect(kept).toEqual(createToolIndex(tools.map(prepareTool)));
});

test('the lists that were not used for longest make room, by number and by size', () => {
  const cache = new IndexCache({ lists: 2, chars: 100_000 });
  for (const name of ['a', 'b', 'a', 'c']) cache.of(toolsOf(name));
  expect(made()).toBe(3);
  cache.of(toolsOf('a'));
  cache.of(toolsOf('c'));
  expect(made()).toBe(3);
  cache.of(toolsOf('b'));
  expect(made()).toBe(4);
  const small = new IndexCache({ lists: 100, chars: JSON.stringify(toolsOf('a')).length * 2 });
  for (const name of ['a', 'b', 'c']) small.of(toolsOf(name));
  vi.clearAllMocks();
  for (const name of ['c', 'b', 'a']) small.of(toolsOf(name));
  expect(made()).toBe(1);
  // One that is larger than all the room is kept until the next comes.
  const large = toolsOf('large', 50);
  expect(small.of(large)).toBe(small.of(large));
});
