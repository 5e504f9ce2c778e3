import { isContent } from './capture-text.ts';
import type { Slot, SlotForm } from './describe-slots.ts';
import { buildArguments, type Filling, fillArguments } from './fill-arguments.ts';
import { formatMessage, ROUTER_MESSAGES } from './messages.ts';
import { type RankedTool, rankTools, type ToolEntry, type ToolIndex } from './rank-tools.ts';
import type { Moment } from './read-dates.ts';
import type { ReadMessage } from './read-message.ts';
import { type Language, overlaps, type RouterDecision } from './types.ts';

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

/** Tools this far below the best are not weighed against it. */
const CONTENDERS = 3;
/** Tool names listed when none fits. */
const MAX_NAMES = 12;

/** What a filled parameter says for its tool, by the rarity of its form. */
const EVIDENCE: { readonly [form in SlotForm]?: number } = {
  expression: 4,
  currency: 1.5,
  timezone: 2,
  email: 1,
  url: 1,
  uuid: 1,
  phone: 1,
  code: 0.6,
  number: 0.7,
  integer: 0.4,
  enum: 0.6,
  date: 0.3,
  'date-time': 0.3,
  time: 0.3,
  duration: 0.5,
};
const MAX_EVIDENCE = 5;

type Candidate = {
  readonly ranked: RankedTool;
  readonly filling: Filling;
  readonly evidence: number;
  readonly score: number;
};

/** Chooses the tool for a fresh request and fills its arguments, or says that none fits. */
export function decide(index: ToolIndex, message: ReadMessage, language: Language): Step {
  const ranked = rankTools(index, message);
  const contenders = ranked.slice(0, CONTENDERS);
  // 12 * 8 names a calculator without a word: tools with such a parameter are tried on the form of the message alone.
  for (const entry of index.entries.filter((candidate) => candidate.slots.some(isTelling)).slice(0, CONTENDERS)) {
    if (!contenders.some((contender) => contender.entry === entry))
      contenders.push(ranked.find((tool) => tool.entry === entry) ?? { entry, score: 0, matched: [] });
  }
  const best = contenders.map((tool) => weigh(message, tool)).sort((a, b) => b.score - a.score)[0];
  if (best === undefined || !isAccepted(message, best))
    return { decision: noTool(index, language), pending: undefined };
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

function weigh(message: ReadMessage, ranked: RankedTool): Candidate {
  const filling = fillArguments(message, ranked.entry);
  const evidence = [...filling.values.keys()].reduce(
    (sum, slot) => sum + (slot.pattern !== undefined ? 3 : (EVIDENCE[slot.form] ?? 0)),
    0,
  );
  const required = ranked.entry.slots.filter((slot) => slot.required && slot.fallback === undefined).length;
  const complete = required === 0 ? 0 : (required - filling.missing.length) / required;
  return { ranked, filling, evidence, score: ranked.score + Math.min(evidence, MAX_EVIDENCE) + 0.8 * complete };
}

function isTelling(slot: Slot): boolean {
  return (
    slot.form === 'expression' || slot.form === 'currency' || slot.form === 'timezone' || slot.pattern !== undefined
  );
}

/** A tool is accepted on the weight of the words it shares with the message and on how much of the request they and the arguments explain. */
function isAccepted(message: ReadMessage, best: Candidate): boolean {
  const content = message.tokens.filter((token) => token.kind !== 'mark' && isContentOf(best, token));
  const known = content.filter(
    (token) =>
      best.ranked.matched.some(({ span }) => overlaps(span, token)) ||
      best.filling.draft.used.some((span) => overlaps(span, token)),
  );
  const explained = content.length === 0 ? 1 : known.length / content.length;
  const told = best.ranked.score + (best.evidence >= 2.5 ? best.evidence : 0);
  return told >= 3 && told * (0.4 + explained) >= 4;
}

function isContentOf(best: Candidate, token: ReadMessage['tokens'][number]): boolean {
  return isContent(best.filling.draft, token) || best.ranked.matched.some(({ span }) => overlaps(span, token));
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
