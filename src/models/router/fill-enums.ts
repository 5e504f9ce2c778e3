import { conceptsOf } from './concepts.ts';
import type { EnumOption } from './describe-enums.ts';
import type { Slot } from './describe-slots.ts';
import { around, assign, type Draft, isUsed, nearness, openSlots } from './draft.ts';
import { isStopWord } from './stop-words.ts';
import { firstTokenFrom, type Token } from './tokenize.ts';
import { overlaps, type Span } from './types.ts';

/** A place where the message names an allowed value. */
type Mention = { readonly option: EnumOption; readonly span: Span; readonly strength: number };

const TO_BEFORE = /(?:to|into|in|as|=|到|成|为|换|改为|改成|设为)\s*$/i;
const FROM_BEFORE = /(?:from|从|由|把|将)\s*$/i;
const NEGATION =
  /(?:\bnot?|\bwithout|\bexcept|\bdon't|\bdo not|\bno need(?: for| to)?|\bexclud(?:e|ing)|\bnon|不要|不用|不需要?|无需|不含|不包含?|没有|别|不|非|免)[\s-]*(?:\w+\s+|[是否含带需要包]{1,2})?$/i;
const TURN_ON = /\b(?:turn(?:ed)? on|switch on|enable|activate|on)\b|打开|开启|启用|开一下/i;
const TURN_OFF = /\b(?:turn(?:ed)? off|switch off|disable|deactivate|off)\b|关闭|关掉|停用|禁用|关上/i;
const SWITCH_WORDS: ReadonlySet<string> = new Set([
  'on',
  'enabl',
  'enable',
  'activ',
  'power',
  'state',
  'turn',
  'switch',
]);
const EMPTY_BOOLEAN_WORDS: ReadonlySet<string> = new Set([
  'is',
  'has',
  'include',
  'includ',
  'includ',
  'with',
  'should',
  'send',
  'need',
  'require',
  'requir',
  'want',
  'flag',
  'only',
  'allow',
  'add',
  'use',
]);

/** Fills enumerated slots from the values the message names, by their own words, titles, glosses or concepts. */
export function fillEnums(draft: Draft): void {
  const slots = openSlots(draft, (slot) => slot.form === 'enum');
  const found = slots.map((slot) => ({ slot, mentions: mentionsOf(draft, slot) }));
  const pairs = found.flatMap(({ slot, mentions }) =>
    mentions.map((mention) => ({ slot, mention, score: scoreOf(draft, slot, mention, slots) })),
  );
  const taken: Span[] = [];
  for (const { slot, mention, score } of pairs.toSorted((a, b) => b.score - a.score)) {
    if (score < 1 || (draft.values.has(slot) && !slot.list) || taken.some((span) => overlaps(span, mention.span)))
      continue;
    taken.push(mention.span);
    assign(draft, slot, mention.option.value, withLabel(draft, slot, mention.span));
  }
}

/** Fills boolean slots whose subject the message names, false where it is negated; a switch goes by on and off. */
export function fillBooleans(draft: Draft): void {
  const { text } = draft.message;
  for (const slot of openSlots(draft, (candidate) => candidate.form === 'boolean' && !candidate.list)) {
    const subject = [...slot.nameWords].filter((word) => !EMPTY_BOOLEAN_WORDS.has(word) && !isStopWord(word));
    if ([...slot.nameWords].every((word) => SWITCH_WORDS.has(word)) || subject.length === 0) {
      const off = TURN_OFF.exec(text);
      const hit = off ?? TURN_ON.exec(text);
      if (hit !== null) assign(draft, slot, off === null, { start: hit.index, end: hit.index + hit[0].length });
      continue;
    }
    const span = findSubject(draft, slot, subject);
    if (span !== undefined)
      assign(draft, slot, !NEGATION.test(text.slice(Math.max(0, span.start - 24), span.start)), span);
  }
}

/** The mention with the slot's own word beside it (优先级高, `high priority`), which then is no part of another value. */
function withLabel(draft: Draft, slot: Slot, span: Span): Span {
  const { tokens } = draft.message;
  const names = (token: Token | undefined): boolean =>
    token !== undefined && (slot.nameWords.has(token.stem) || (token.kind === 'cjk' && slot.hintWords.has(token.stem)));
  let first = firstTokenFrom(tokens, span.start);
  let last = firstTokenFrom(tokens, span.end) - 1;
  // 优先级 is two words to ICU.
  for (let step = 0; step < 2 && names(tokens[first - 1]); step++) first--;
  for (let step = 0; step < 2 && names(tokens[last + 1]); step++) last++;
  return {
    start: Math.min(span.start, tokens[first]?.start ?? span.start),
    end: Math.max(span.end, tokens[last]?.end ?? span.end),
  };
}

/** All places that name one of a slot's values; where two overlap the longer wins. */
function mentionsOf(draft: Draft, slot: Slot): Mention[] {
  const { tokens, concepts } = draft.message;
  const mentions: Mention[] = [];
  for (const option of slot.options) {
    for (const phrase of option.phrases) {
      for (let i = 0; i + phrase.length <= tokens.length; i++) {
        if (!phrase.every((word, j) => tokens[i + j]?.stem === word)) continue;
        const span = { start: tokens[i]?.start ?? 0, end: tokens[i + phrase.length - 1]?.end ?? 0 };
        const common = phrase.every((word) => isStopWord(word));
        mentions.push({ option, span, strength: (common ? 0.4 : 3) + phrase.join('').length / 50 });
      }
      const han = phrase.join('');
      if (/^\p{Script=Han}{2,}$/u.test(han)) mentions.push(...findHan(draft, option, han));
    }
    for (const hit of concepts)
      if (option.concepts.has(hit.concept))
        mentions.push({ option, span: { start: hit.start, end: hit.end }, strength: 1.5 + (hit.end - hit.start) / 50 });
  }
  const free = mentions.filter(
    (mention) => !isUsed(draft, mention.span) || draft.message.numbers.some((number) => overlaps(number, mention.span)),
  );
  const longest = free.toSorted((a, b) => b.strength + length(b) - (a.strength + length(a)));
  const kept: Mention[] = [];
  for (const mention of longest) if (!kept.some((other) => overlaps(other.span, mention.span))) kept.push(mention);
  return kept.filter((mention) => !NEGATION.test(around(draft, mention.span).before) || slot.required);
}

function findHan(draft: Draft, option: EnumOption, phrase: string): Mention[] {
  const { text } = draft.message;
  const mentions: Mention[] = [];
  for (let at = text.indexOf(phrase); at >= 0; at = text.indexOf(phrase, at + phrase.length)) {
    mentions.push({ option, span: { start: at, end: at + phrase.length }, strength: 2.8 + phrase.length / 50 });
  }
  return mentions;
}

function scoreOf(draft: Draft, slot: Slot, mention: Mention, slots: readonly Slot[]): number {
  const { before } = around(draft, mention.span);
  const quoted = draft.message.entities.some(
    (entity) =>
      entity.kind === 'quote' && overlaps(entity, mention.span) && length(mention) + 2 < entity.end - entity.start,
  );
  if (quoted) return 0;
  const twin = slots.some(
    (other) => other !== slot && other.options.some((option) => option.value === mention.option.value),
  );
  let score = mention.strength + nearness(draft, slot, mention.span) / 2 + (slot.required ? 0.6 : 0);
  if (twin) {
    const direction = FROM_BEFORE.test(before) ? 'from' : TO_BEFORE.test(before) ? 'to' : undefined;
    if (direction !== undefined && slot.side !== undefined) score += slot.side === direction ? 2 : -1;
    else if (slot.side === 'from') score += 0.5;
    score -= mention.span.start / 100_000;
  } else score -= mention.span.start / 1_000_000;
  return score;
}

/** Where the message names what a boolean is about: all words of its name in a row, or the Chinese after 是否 in its description. */
function findSubject(draft: Draft, slot: Slot, subject: readonly string[]): Span | undefined {
  const { tokens, text, concepts } = draft.message;
  const at = tokens.findIndex((_, i) => subject.every((word, j) => tokens[i + j]?.stem === word));
  if (at >= 0) return { start: tokens[at]?.start ?? 0, end: tokens[at + subject.length - 1]?.end ?? 0 };
  const asked = /是否(?:要|需要?|包含?|含|为|有|是|启用|开启|发送|同时|已|加)?(\p{Script=Han}{1,8})/u.exec(
    slot.description,
  )?.[1];
  for (let size = asked?.length ?? 0; asked !== undefined && size >= 2; size--) {
    const start = text.indexOf(asked.slice(0, size));
    if (start >= 0) return { start, end: start + size };
  }
  if (subject.length !== 1) return undefined;
  const named = conceptsOf(subject[0] ?? '');
  return concepts.find((hit) => named.includes(hit.concept) && !draft.entry.concepts.has(hit.concept));
}

function length(mention: Mention): number {
  return mention.span.end - mention.span.start;
}
