import type { Slot } from './describe-slots.ts';
import { buildArguments } from './fill-arguments.ts';
import { formatMessage, ROUTER_MESSAGES } from './messages.ts';
import type { ToolEntry, ToolIndex } from './rank-tools.ts';
import type { Moment } from './read-dates.ts';
import type { ReadMessage } from './read-message.ts';
import type { Language, RouterDecision } from './types.ts';
import { chooseTool } from './weigh-tools.ts';

/** A question the router asked: the tool, what it has and what it still needs, and the very text, by which the turn is known again. */
export type Pending = {
  readonly entry: ToolEntry;
  readonly values: ReadonlyMap<Slot, unknown>;
  readonly missing: readonly Slot[];
  /** A day or time that waits for its other half. */
  readonly half: Moment;
  readonly score: number;
  readonly text: string;
};

/** A decision with the question it leaves open. */
export type Step = { readonly decision: RouterDecision; readonly pending: Pending | undefined };

/** Tool names listed when none fits. */
const MAX_NAMES = 12;

/** Chooses the tool for a fresh request and fills its arguments, or says that none fits. */
export function decide(index: ToolIndex, message: ReadMessage, language: Language): Step {
  const best = chooseTool(index, message);
  if (best === undefined) return { decision: noTool(index, language), pending: undefined };
  return settle(best.ranked.entry, best.filling, confidence(best.score), language);
}

/** The decision for a tool whose arguments are known: a call, or a question for what is missing. */
export function settle(
  entry: ToolEntry,
  filled: { values: ReadonlyMap<Slot, unknown>; missing: readonly Slot[]; half: Moment },
  score: number,
  language: Language,
): Step {
  const { values, missing, half } = filled;
  const args = buildArguments(entry.slots, values);
  if (missing.length === 0)
    return { decision: { kind: 'call', tool: entry.tool.name, arguments: args, score }, pending: undefined };
  const text = question(entry, missing, language);
  const pending: Pending = { entry, values, missing, half, score, text };
  return {
    decision: { kind: 'ask', tool: entry.tool.name, missing: missing.map((slot) => slot.name), arguments: args, text },
    pending,
  };
}

/** The decision that no tool fits, naming what there is. */
export function noTool(index: ToolIndex, language: Language): RouterDecision {
  const messages = ROUTER_MESSAGES[language];
  const names = index.entries.slice(0, MAX_NAMES).map((entry) => entry.tool.name);
  if (names.length === 0) return { kind: 'none', text: messages.noTool };
  return {
    kind: 'none',
    text: formatMessage(messages.noToolWithNames, {
      names: names.join(', ') + (index.entries.length > MAX_NAMES ? ', …' : ''),
    }),
  };
}

/** BM25 has no upper bound; this maps it into 0..1 for display, half at a plain match. */
function confidence(score: number): number {
  return Number((score / (score + 6)).toFixed(3));
}

function question(entry: ToolEntry, missing: readonly Slot[], language: Language): string {
  const messages = ROUTER_MESSAGES[language];
  const items = missing.map((slot) => {
    const choices =
      slot.options.length > 0
        ? formatMessage(messages.oneOf, {
            names: slot.options
              .slice(0, 12)
              .map((option) => String(option.value))
              .join(', '),
          })
        : '';
    const detail = [slot.description.slice(0, 200), choices].filter((part) => part !== '').join(' · ');
    return formatMessage(messages.askItem, { name: slot.name }) + (detail === '' ? '' : ` (${detail})`);
  });
  return formatMessage(messages.ask, { tool: entry.tool.name, items: items.join('\n') });
}
