import { isContent } from './capture-text.ts';
import { actionKind } from './concepts.ts';
import type { Slot, SlotForm } from './describe-slots.ts';
import { isUsed } from './draft.ts';
import { type Filling, fillArguments } from './fill-arguments.ts';
import { type RankedTool, rankTools, type ToolIndex } from './rank-tools.ts';
import type { ReadMessage } from './read-message.ts';
import { isQuestion, isStatement } from './request-words.ts';
import type { Token } from './tokenize.ts';
import { overlaps } from './types.ts';

/** A tool with the arguments the message gives it and all that speaks for it. */
export type Candidate = {
  readonly ranked: RankedTool;
  readonly filling: Filling;
  readonly evidence: number;
  /** Share of the message's content words that the tool's words and the arguments take up. */
  readonly explained: number;
  readonly wanted: Wanted;
  readonly score: number;
};

const LEAST_SCORE = 8;
const LEAST_EXPLAINED = 0.5;
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
  const { entry, matched } = ranked;
  const filling = fillArguments(message, entry);
  const { draft, missing, values } = filling;
  const evidence = [...values.keys()].reduce(
    (sum, slot) => sum + (slot.pattern !== undefined ? 3 : (EVIDENCE[slot.form] ?? 0)),
    0,
  );
  const dates = message.temporals(false).dates;
  const isMatched = (token: Token): boolean => matched.some(({ span }) => overlaps(span, token));
  const isDate = (token: Token): boolean => dates.some((span) => overlaps(span, token)) && !isUsed(draft, token);
  const content = message.tokens.filter(
    (token) => token.kind !== 'mark' && !isDate(token) && (isContent(draft, token) || isMatched(token)),
  );
  const known = content.filter((token) => isMatched(token) || isUsed(draft, token));
  const explained = content.length === 0 ? 1 : known.length / content.length;
  const wanted = compareActions(message, filling);
  const score =
    ranked.score +
    Math.min(evidence, MAX_EVIDENCE) +
    4 * explained +
    0.6 * values.size -
    1.5 * missing.length +
    0.8 * wanted.shared -
    1.5 * wanted.other -
    2.5 * wanted.distinct -
    wanted.unsaid;
  return { ranked, filling, evidence, explained, wanted, score };
}

/** What the message wants done, beside what the tool does. */
type Wanted = {
  /** Actions both name. */
  readonly shared: number;
  /** Actions only the message names, outside its arguments: those no near word stands for, and the others. */
  readonly distinct: number;
  readonly other: number;
  /** How much it counts that the message does not say what the tool's name says it does. */
  readonly unsaid: number;
};

function compareActions(message: ReadMessage, { draft }: Filling): Wanted {
  const { entry } = draft;
  const wanted = new Set(
    message.actions.filter((hit) => entry.concepts.has(hit.concept) || !isUsed(draft, hit)).map((hit) => hit.concept),
  );
  const foreign = [...wanted].filter((action) => !entry.concepts.has(action));
  const distinct = foreign.filter((action) => actionKind(action) === 'distinct').length;
  const said = [...entry.nameActions].some((action) => message.concepts.some((hit) => hit.concept === action));
  const drastic = [...entry.nameActions].every((action) => actionKind(action) === 'distinct');
  const idle = said || entry.nameActions.size === 0;
  const unsaid = idle ? 0 : drastic ? 2.5 : isQuestion(message.text) ? 2.3 : 0.8;
  return {
    shared: wanted.size - foreign.length,
    distinct,
    other:
      wanted.size === foreign.length && !said ? foreign.filter((action) => actionKind(action) === 'other').length : 0,
    unsaid,
  };
}

function isTelling(slot: Slot): boolean {
  return (
    slot.form === 'expression' || slot.form === 'currency' || slot.form === 'timezone' || slot.pattern !== undefined
  );
}

/** What is measured of a candidate to tell whether the request is the tool's at all. */
export function measure(message: ReadMessage, best: Candidate) {
  return {
    words: best.ranked.score,
    explained: best.explained,
    evidence: best.evidence,
    missing: best.filling.missing.length,
    filled: best.filling.values.size,
    distinct: best.wanted.distinct,
    other: best.wanted.other,
    unsaid: best.wanted.unsaid,
    question: isQuestion(message.text) ? 1 : 0,
    statement: isStatement(message) ? 1 : 0,
    total: best.score,
  };
}

/**
 * Tells whether the request is the candidate's: enough speaks for it, it does what is wanted, the message asks for anything at all,
 * and where arguments are missing most of what is said belongs to the tool.
 */
export function isAccepted(message: ReadMessage, best: Candidate): boolean {
  const { wanted, filling, explained, score } = best;
  if (score < LEAST_SCORE || wanted.distinct > 0 || isStatement(message)) return false;
  if (filling.missing.length === 0) return true;
  return explained >= LEAST_EXPLAINED && !(wanted.unsaid > 0 && isQuestion(message.text));
}
