import type { Slot } from './describe-slots.ts';
import { around, assign, type Draft, nearness, openSlots } from './draft.ts';
import { findMentions, HINT_STRENGTH, type Mention } from './find-mentions.ts';
import { firstTokenFrom, type Token } from './tokenize.ts';
import { overlaps, type Span } from './types.ts';

const TO_BEFORE =
  /(?:\bto|\binto|\bin|\bas|\bagainst|\bversus|\bvs\.?|=|到|成|为|换|兑|兑换|合|多少|how many)\s*(?:the\s+)?$/i;
const FROM_BEFORE = /(?:\bfrom|\bof|从|由|把|将)\s*(?:the\s+)?$/i;
/** A mention this weak needs its slot to want it: one word of a gloss is often said of something else. */
const LEAST_SCORE = 1;

/** Fills enumerated slots from the values the message names; two slots with the same values (from, to) take two of them. */
export function fillEnums(draft: Draft): void {
  const slots = openSlots(draft, (slot) => slot.form === 'enum');
  const twins = slots.filter((slot) => slots.some((other) => other !== slot && areTwins(slot, other)));
  const [first] = twins;
  const second = twins.find((slot) => first !== undefined && slot !== first && areTwins(slot, first));
  if (first !== undefined && second !== undefined) fillTwins(draft, first, second);
  const single = slots.filter((slot) => slot !== first && slot !== second);
  const pairs = (second === undefined ? slots : single).flatMap((slot) =>
    findMentions(draft, slot).map((mention) => ({ slot, mention, score: scoreOf(draft, slot, mention) })),
  );
  const taken: Span[] = [];
  for (const { slot, mention, score } of pairs.toSorted((a, b) => b.score - a.score)) {
    const free = (slot.list || !draft.values.has(slot)) && !taken.some((span) => overlaps(span, mention.span));
    if (score < LEAST_SCORE || !free) continue;
    taken.push(mention.span);
    assign(draft, slot, mention.option.value, withLabel(draft, slot, mention.span));
    if (mention.strength <= HINT_STRENGTH) draft.guessed.add(slot);
  }
}

function areTwins(a: Slot, b: Slot): boolean {
  return (
    !a.list &&
    !b.list &&
    a.options.length > 1 &&
    a.options.length === b.options.length &&
    a.options.every((option, i) => option.value === b.options[i]?.value)
  );
}

/** What stands at the number or after `from` is the first of a pair, what stands after `to` the second; else they come in order. */
function fillTwins(draft: Draft, a: Slot, b: Slot): void {
  const [from, to] = a.side === 'to' || b.side === 'from' ? [b, a] : [a, b];
  const mentions = findMentions(draft, from).filter((mention) => mention.strength > LEAST_SCORE);
  const give = (slot: Slot, mention: Mention | undefined): void => {
    if (mention !== undefined) assign(draft, slot, mention.option.value, mention.span);
  };
  const atNumber = mentions.find((mention) =>
    draft.message.numbers.some((number) => overlaps(number, mention.span) || number.end === mention.span.start),
  );
  const source = atNumber ?? mentions.find((mention) => FROM_BEFORE.test(around(draft, mention.span).before));
  const target = mentions.find((mention) => mention !== source && TO_BEFORE.test(around(draft, mention.span).before));
  if (mentions.length === 1) {
    const [only] = mentions;
    give(only === target ? to : from, only);
    return;
  }
  const rest = mentions.filter((mention) => mention !== source && mention !== target);
  const start = source ?? rest.shift();
  give(from, start);
  give(to, target ?? rest.shift());
}

function scoreOf(draft: Draft, slot: Slot, mention: Mention): number {
  const { before } = around(draft, mention.span);
  const aimed = TO_BEFORE.test(before) ? 0.5 : 0;
  return (
    mention.strength +
    aimed +
    nearness(draft, slot, mention.span) / 2 +
    (slot.required ? 0.6 : 0) -
    mention.span.start / 1_000_000
  );
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
