import type { EnumOption } from './describe-enums.ts';
import type { Slot } from './describe-slots.ts';
import { around, type Draft, isUsed } from './draft.ts';
import { readCurrencies } from './read-currencies.ts';
import { currencyOfWord } from './read-units.ts';
import { isStopWord } from './stop-words.ts';
import { firstTokenFrom, type Token } from './tokenize.ts';
import { overlaps, type Span } from './types.ts';

/** A place where the message names an allowed value, and how plainly. */
export type Mention = { readonly option: EnumOption; readonly span: Span; readonly strength: number };

/** By its own words, by the words of its gloss, by a concept, by one word of its gloss. */
const STRENGTH = { phrase: 3, inside: 2.8, concept: 1.5, hint: 1.2, common: 0.4 };
/** A mention no stronger than this rests on one word of a gloss. */
export const HINT_STRENGTH = STRENGTH.hint;
const NEGATION =
  /(?:\bnot?|\bwithout|\bexcept|\bdon't|\bdo not|\bno need(?: for| to)?|\bexclud(?:e|ing)|\bnon|不要|不用|不需要?|无需|不含|不包含?|没有|别|不|非|免)[\s-]*(?:\w+\s+|[是否含带需要包]{1,2})?$/i;

/** All places that name one of a slot's values, in the order of the text; where two overlap the longer wins. */
export function findMentions(draft: Draft, slot: Slot): Mention[] {
  const all = isCurrencySlot(slot)
    ? currencyMentions(draft, slot)
    : slot.options.flatMap((option) => optionMentions(draft, option));
  const free = all.filter((mention) => !isUsed(draft, mention.span) && !insideQuote(draft, mention.span));
  const kept: Mention[] = [];
  for (const mention of free.toSorted((a, b) => b.strength + length(b.span) - a.strength - length(a.span))) {
    if (!kept.some((other) => overlaps(other.span, mention.span))) kept.push(mention);
  }
  return kept
    .filter((mention) => slot.required || !isNegated(draft, mention.span))
    .sort((a, b) => a.span.start - b.span.start);
}

/** Tells whether a part of the message is denied by the words right before it. */
export function isNegated(draft: Draft, span: Span): boolean {
  return NEGATION.test(around(draft, span).before);
}

function optionMentions(draft: Draft, option: EnumOption): Mention[] {
  const { tokens, concepts, text } = draft.message;
  const mentions: Mention[] = [];
  for (const phrase of option.phrases) {
    const common = phrase.every((word) => isStopWord(word));
    for (let i = 0; i + phrase.length <= tokens.length; i++) {
      if (!phrase.every((word, j) => tokens[i + j]?.stem === word)) continue;
      const span = { start: tokens[i]?.start ?? 0, end: tokens[i + phrase.length - 1]?.end ?? 0 };
      mentions.push({ option, span, strength: common ? STRENGTH.common : STRENGTH.phrase });
    }
    const han = phrase.join('');
    if (!/^\p{Script=Han}{2,}$/u.test(han)) continue;
    for (let at = text.indexOf(han); at >= 0; at = text.indexOf(han, at + han.length)) {
      mentions.push({ option, span: { start: at, end: at + han.length }, strength: STRENGTH.inside });
    }
  }
  for (const hit of concepts)
    if (option.concepts.has(hit.concept) && !draft.entry.concepts.has(hit.concept) && !isInName(draft, hit))
      mentions.push({ option, span: { start: hit.start, end: hit.end }, strength: STRENGTH.concept });
  for (const token of tokens) {
    const hinted = token.kind !== 'cjk' && token.text.length > 3 && option.hints.has(token.stem);
    if (hinted && !draft.vocabulary.has(token) && !isInName(draft, token))
      mentions.push({ option, span: { start: token.start, end: token.end }, strength: STRENGTH.hint });
  }
  for (const hint of option.hints) {
    const at = /^\p{Script=Han}{2,}$/u.test(hint) && !draft.entry.vocabulary.has(hint) ? text.indexOf(hint) : -1;
    if (at >= 0) mentions.push({ option, span: { start: at, end: at + hint.length }, strength: STRENGTH.hint });
  }
  return mentions;
}

/** `Account Executive`: a word of a name of several, which says nothing of what its parts gloss. */
function isInName(draft: Draft, span: Span): boolean {
  const { tokens } = draft.message;
  const at = firstTokenFrom(tokens, span.start);
  const token = tokens[at];
  const isCapital = (other: Token | undefined): boolean => other !== undefined && /^\p{Lu}\p{Ll}/u.test(other.text);
  return at > 0 && isCapital(token) && ((at > 1 && isCapital(tokens[at - 1])) || isCapital(tokens[at + 1]));
}

function isCurrencySlot(slot: Slot): boolean {
  return slot.options.every(
    (option) =>
      typeof option.value === 'string' && currencyOfWord(option.value.toUpperCase()) === option.value.toUpperCase(),
  );
}

function currencyMentions(draft: Draft, slot: Slot): Mention[] {
  return readCurrencies(draft.message).flatMap(({ code, start, end }) => {
    const option = slot.options.find((candidate) => String(candidate.value).toUpperCase() === code);
    return option === undefined ? [] : [{ option, span: { start, end }, strength: STRENGTH.phrase }];
  });
}

/** A value's word within a longer quotation is part of the quotation. */
function insideQuote(draft: Draft, span: Span): boolean {
  return draft.message.entities.some(
    (entity) => entity.kind === 'quote' && overlaps(entity, span) && length(span) + 2 < length(entity),
  );
}

function length(span: Span): number {
  return span.end - span.start;
}
