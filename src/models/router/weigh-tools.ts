import { isContent } from './capture-text.ts';
import { actionKind } from './concepts.ts';
import type { Slot, SlotForm } from './describe-slots.ts';
import { type Filling, fillArguments } from './fill-arguments.ts';
import { type RankedTool, rankTools, type ToolEntry, type ToolIndex } from './rank-tools.ts';
import type { ReadMessage } from './read-message.ts';
import { overlaps } from './types.ts';

/** A tool with the arguments the message gives it and all that speaks for it. */
export type Candidate = {
  readonly ranked: RankedTool;
  readonly filling: Filling;
  readonly evidence: number;
  readonly score: number;
};

/** Tools below these by words alone are not filled, unless a form of argument speaks for them. */
const CONTENDERS = 5;
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

/** The tools that may be meant, best first: by shared words, by the arguments found and missing, and by what is to be done. */
export function weighTools(index: ToolIndex, message: ReadMessage): Candidate[] {
  const ranked = rankTools(index, message);
  const contenders = ranked.slice(0, CONTENDERS);
  // 12 * 8 names a calculator without a word: tools with such a parameter are tried on the form of the message alone.
  for (const entry of index.entries.filter((candidate) => candidate.slots.some(isTelling)).slice(0, CONTENDERS)) {
    if (!contenders.some((contender) => contender.entry === entry))
      contenders.push(ranked.find((tool) => tool.entry === entry) ?? { entry, score: 0, matched: [] });
  }
  return contenders.map((tool) => weigh(message, tool)).sort((a, b) => b.score - a.score);
}

function weigh(message: ReadMessage, ranked: RankedTool): Candidate {
  const { entry } = ranked;
  const filling = fillArguments(message, entry);
  const evidence = [...filling.values.keys()].reduce(
    (sum, slot) => sum + (slot.pattern !== undefined ? 3 : (EVIDENCE[slot.form] ?? 0)),
    0,
  );
  const required = entry.slots.filter((slot) => slot.required && slot.fallback === undefined).length;
  const found = required - filling.missing.length;
  const score =
    ranked.score +
    Math.min(evidence, MAX_EVIDENCE) +
    0.7 * found -
    0.9 * filling.missing.length +
    actionScore(message, entry);
  return { ranked, filling, evidence, score };
}

/** A tool that does what the message wants done gains; one that does what it does not want loses, most where no near word stands for it. */
export function actionScore(message: ReadMessage, entry: ToolEntry): number {
  let score = 0;
  for (const action of message.actions) {
    if (entry.concepts.has(action)) score += 0.8;
    else if (actionKind(action) === 'distinct') score -= 2.5;
  }
  const named = [...entry.nameActions].some((action) => message.concepts.some((hit) => hit.concept === action));
  if (entry.nameActions.size > 0 && !named)
    score -= [...entry.nameActions].every((action) => actionKind(action) === 'distinct') ? 2.5 : 0.6;
  return score;
}

function isTelling(slot: Slot): boolean {
  return (
    slot.form === 'expression' || slot.form === 'currency' || slot.form === 'timezone' || slot.pattern !== undefined
  );
}

/** What is measured of a candidate to tell whether the request is the tool's at all. */
export function measure(message: ReadMessage, best: Candidate) {
  const { entry, matched, score } = best.ranked;
  const content = message.tokens.filter(
    (token) =>
      token.kind !== 'mark' &&
      (isContent(best.filling.draft, token) || matched.some(({ span }) => overlaps(span, token))),
  );
  const known = content.filter(
    (token) =>
      matched.some(({ span }) => overlaps(span, token)) ||
      best.filling.draft.used.some((span) => overlaps(span, token)),
  );
  const inName = matched.filter(({ key }) => entry.nameTerms.has(key)).reduce((sum, { weight }) => sum + weight, 0);
  return {
    words: score,
    inName,
    explained: content.length === 0 ? 1 : known.length / content.length,
    unknown: content.length - known.length,
    evidence: best.evidence,
    missing: best.filling.missing.length,
    filled: best.filling.values.size,
    action: actionScore(message, entry),
    total: best.score,
  };
}

/** A tool is accepted on the weight of the words it shares with the message and on how much of the request they and the arguments explain. */
export function isAccepted(message: ReadMessage, best: Candidate): boolean {
  const { explained, evidence, words } = measure(message, best);
  const told = words + (evidence >= 2.5 ? evidence : 0);
  return told >= 3 && told * (0.4 + explained) >= 4;
}
