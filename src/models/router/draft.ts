import type { Slot } from './describe-slots.ts';
import type { ToolEntry } from './rank-tools.ts';
import type { Moment } from './read-dates.ts';
import type { ReadMessage } from './read-message.ts';
import { firstTokenFrom, type Token } from './tokenize.ts';
import { overlaps, type Span } from './types.ts';

/** The arguments of one tool while they are being found: which slots are filled and which parts of the message they used up. */
export type Draft = {
  readonly message: ReadMessage;
  readonly entry: ToolEntry;
  /** The slots to fill: all of the tool's, or those asked for. */
  readonly open: readonly Slot[];
  readonly values: Map<Slot, unknown>;
  readonly used: Span[];
  /** Slots filled on a hint, and parts of the message given to a slot only because nothing else explained them. */
  readonly guessed: Set<Slot>;
  readonly leftovers: Span[];
  /** Tokens that the tool's own name and description hold, so that they are seldom part of an argument. */
  readonly vocabulary: ReadonlySet<Token>;
  /** A day or a time given in an earlier turn that still lacks its other half. */
  readonly hint: Moment;
};

/** A possible use of a part of the message for a slot. */
export type Claim = {
  readonly slot: Slot;
  readonly span: Span;
  /** What the claim uses up beside its span, such as a unit or the `under` before a number. */
  readonly covers?: Span;
  readonly value: unknown;
  readonly score: number;
};

/** Starts a draft for the given slots. */
export function startDraft(message: ReadMessage, entry: ToolEntry, open: readonly Slot[], hint: Moment): Draft {
  return {
    message,
    entry,
    open,
    hint,
    values: new Map(),
    used: [],
    guessed: new Set(),
    leftovers: [],
    vocabulary: knownTokens(message, entry),
  };
}

/** Fills a slot and marks the part of the message it came from. */
export function assign(draft: Draft, slot: Slot, value: unknown, span: Span): void {
  const known = draft.values.get(slot);
  if (slot.list)
    draft.values.set(slot, [...(Array.isArray(known) ? known : []), ...(Array.isArray(value) ? value : [value])]);
  else draft.values.set(slot, value);
  draft.used.push(span);
}

/** Tells whether a part of the message already filled a slot. */
export function isUsed(draft: Draft, span: Span): boolean {
  return draft.used.some((other) => overlaps(other, span));
}

/** Grants claims best first, each slot (unless a list) and each part of the message once; equal scores keep the order given. */
export function grantClaims(draft: Draft, claims: readonly Claim[]): void {
  for (const claim of claims.toSorted((a, b) => b.score - a.score)) {
    if ((draft.values.has(claim.slot) && !claim.slot.list) || isUsed(draft, claim.span)) continue;
    assign(draft, claim.slot, claim.value, claim.span);
    if (claim.covers !== undefined) draft.used.push(claim.covers);
  }
}

/** Slots of a draft that are not filled and satisfy a test. */
export function openSlots(draft: Draft, test: (slot: Slot) => boolean): Slot[] {
  return draft.open.filter((slot) => !draft.values.has(slot) && test(slot));
}

/** How strongly the words beside a part of the message name a slot: its name right before weighs most, its description far off least. */
export function nearness(draft: Draft, slot: Slot, span: Span): number {
  const { tokens } = draft.message;
  const first = firstTokenFrom(tokens, span.start);
  const next = firstTokenFrom(tokens, span.end);
  let score = 0;
  for (let step = 1; step <= 3; step++) {
    const token = tokens[first - step];
    if (token === undefined || /^[,.;!?，。；！？、]$/.test(token.text)) break;
    score = Math.max(score, likeness(slot, token.stem) * (step === 1 ? 3 : step === 2 ? 2.4 : 1.8));
  }
  for (let step = 0; step < 2; step++) {
    const token = tokens[next + step];
    if (token === undefined || /^[,.;!?，。；！？、]$/.test(token.text)) break;
    score = Math.max(score, likeness(slot, token.stem) * (step === 0 ? 2.2 : 1.2));
  }
  return score;
}

/** The text right before and after a part of the message, for cue words. */
export function around(draft: Draft, span: Span): { before: string; after: string } {
  const { text } = draft.message;
  return { before: text.slice(Math.max(0, span.start - 24), span.start), after: text.slice(span.end, span.end + 16) };
}

function likeness(slot: Slot, word: string): number {
  return slot.cueWords.get(word) ?? 0;
}

function knownTokens(message: ReadMessage, entry: ToolEntry): Set<Token> {
  const { tokens, concepts } = message;
  const known = new Set(tokens.filter((token) => entry.vocabulary.has(token.stem)));
  for (const hit of concepts) {
    if (!entry.concepts.has(hit.concept)) continue;
    for (let i = firstTokenFrom(tokens, hit.start); i < tokens.length && (tokens[i] as Token).end <= hit.end; i++)
      known.add(tokens[i] as Token);
  }
  return known;
}
