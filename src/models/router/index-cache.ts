import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { createToolIndex, type PreparedTool, prepareTool, type ToolIndex } from './rank-tools.ts';
import type { RouterTool } from './types.ts';

/** Milliseconds of work before others get their turn of the event loop. */
const SLICE_MS = 4;

/**
 * Indexes of tool lists by their text, the latest used last: an index costs a millisecond or so for each tool, and the same list
 * comes with every call of its agent. Bounded by number and by the characters of the lists.
 */
export class IndexCache {
  readonly #most: { lists: number; chars: number };
  readonly #kept = new Map<string, { index: ToolIndex; chars: number }>();
  readonly #underWay = new Map<string, Promise<unknown>>();
  #chars = 0;

  constructor(most = { lists: 64, chars: 8_000_000 }) {
    this.#most = most;
  }

  /** The index of a list, made at once where it is not there. */
  of(tools: readonly RouterTool[]): ToolIndex {
    const { key, chars } = keyOf(tools);
    return this.#find(key) ?? this.#keep(key, chars, tools.map(prepareTool));
  }

  /** Makes the index of a list where it is not there, a few tools at a time: other work goes on meanwhile. */
  async prepare(tools: readonly RouterTool[]): Promise<void> {
    const { key, chars } = keyOf(tools);
    if (this.#find(key) !== undefined) return;
    const making = this.#underWay.get(key) ?? this.#prepare(key, chars, tools);
    this.#underWay.set(key, making);
    await making.finally(() => this.#underWay.delete(key));
  }

  async #prepare(key: string, chars: number, tools: readonly RouterTool[]): Promise<void> {
    const prepared: PreparedTool[] = [];
    let since = performance.now();
    for (const tool of tools) {
      prepared.push(prepareTool(tool));
      if (performance.now() - since < SLICE_MS) continue;
      await nextTurn();
      since = performance.now();
    }
    this.#keep(key, chars, prepared);
  }

  #find(key: string): ToolIndex | undefined {
    const found = this.#kept.get(key);
    if (found === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, found);
    return found.index;
  }

  #keep(key: string, chars: number, prepared: readonly PreparedTool[]): ToolIndex {
    const index = createToolIndex(prepared);
    this.#chars += chars - (this.#kept.get(key)?.chars ?? 0);
    this.#kept.delete(key);
    this.#kept.set(key, { index, chars });
    for (const [oldest, { chars: its }] of this.#kept) {
      if (oldest === key || (this.#kept.size <= this.#most.lists && this.#chars <= this.#most.chars)) break;
      this.#kept.delete(oldest);
      this.#chars -= its;
    }
    return index;
  }
}

function keyOf(tools: readonly RouterTool[]): { key: string; chars: number } {
  const text = JSON.stringify(tools);
  return { key: hash('sha256', text), chars: text.length };
}
