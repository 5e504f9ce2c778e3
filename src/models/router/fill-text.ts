import { capture, hasContent } from './capture-text.ts';
import type { Slot } from './describe-slots.ts';
import { type Claim, type Draft, grantClaims, isUsed, nearness, openSlots } from './draft.ts';
import { isPronoun, wrap } from './fill-leftover.ts';
import { type CueHit, findCues, isGenericLabel, leadsTo, stopsFor } from './find-cues.ts';
import { isStopWord } from './stop-words.ts';
import type { Token } from './tokenize.ts';

/** Fills text slots: quoted text first, then what cue words and labels lead to. */
export function fillText(draft: Draft): void {
  const slots = openSlots(draft, (slot) => slot.form === 'text');
  if (slots.length === 0) return;
  grantClaims(
    draft,
    slots.flatMap((slot) => claimEntities(draft, slot)),
  );
  const open = slots.filter((slot) => !draft.values.has(slot));
  const starts = new Map(open.map((slot) => [slot, findCues(draft, slot)]));
  const claims = open.flatMap((slot) => claimCues(draft, slot, starts.get(slot) ?? [], stopsFor(slot, starts)));
  grantClaims(
    draft,
    claims.filter((claim) => claim.score >= (claim.slot.required ? 1 : 2)),
  );
}

function claimEntities(draft: Draft, slot: Slot): Claim[] {
  const claims: Claim[] = [];
  for (const [i, entity] of draft.message.entities.entries()) {
    if (isUsed(draft, entity) || entity.value.length > slot.maxLength) continue;
    const near = Math.max(nearness(draft, slot, entity), leadsTo(draft, slot, entity));
    if (entity.kind === 'quote')
      claims.push({
        slot,
        span: entity,
        value: entity.value,
        score: 3 + near + (slot.required ? 0.5 : 0) + (slot.role === 'person' ? -1 : 0) - i / 100,
      });
    else if (slot.role === 'person' && entity.kind === 'email')
      claims.push({ slot, span: entity, value: entity.value, score: 3 + near });
    else if (entity.kind === 'code' && near >= 1.5)
      claims.push({ slot, span: entity, value: entity.value, score: 1.5 + near });
  }
  return claims;
}

function claimCues(draft: Draft, slot: Slot, hits: readonly CueHit[], stops: ReadonlySet<number>): Claim[] {
  const claims: Claim[] = [];
  for (const { cue, at, after, label } of hits) {
    const span = capture(draft, after, cue.reach, stops, slot.list);
    if (span === undefined) continue;
    const { text, tail } = draft.message;
    // Running text that reaches the end of what is read goes on to the end of the message.
    const value =
      text.slice(span.start, span.end) + (cue.reach === 'rest' && span.end === text.length ? tail.trimEnd() : '');
    const sure = label || cue.weight >= 4;
    if (isPronoun(value) || value.length > slot.maxLength || !(sure || hasContent(draft, span))) continue;
    const score = cue.weight + properness(draft, slot, value, cue.weight) + (slot.required ? 0.5 : 0) - at / 1_000;
    claims.push({ slot, span, value: wrap(slot, value), score });
  }
  const before = valueBeforeLabel(draft, slot);
  return before === undefined ? claims : [...claims, before];
}

/** English names begin with a capital; a lower-case word after `to` or `for` is seldom a person. */
function properness(draft: Draft, slot: Slot, value: string, weight: number): number {
  if (!/^[A-Za-z]/.test(value)) return 0;
  const capital = /^\p{Lu}/u.test(value);
  if (slot.role === 'person') return capital ? 1 : hasCapitals(draft) || weight < 3 ? -3 : -1;
  const proper = slot.role === 'place' || slot.role === 'origin' || slot.role === 'destination';
  return proper ? (capital ? 1 : hasCapitals(draft) ? -1 : 0) : 0;
}

function hasCapitals(draft: Draft): boolean {
  return /[^.!?\s]\s+\p{Lu}/u.test(draft.message.text);
}

/** `the Marketing department`, `Apollo project`: the name stands before its label. */
function valueBeforeLabel(draft: Draft, slot: Slot): Claim | undefined {
  const { tokens, text } = draft.message;
  for (let i = 1; i < tokens.length; i++) {
    const label = tokens[i] as Token;
    if (label.kind !== 'word' || !slot.nameWords.has(label.stem) || isGenericLabel(label.stem)) continue;
    let first = i;
    while (
      first > 0 &&
      /^\p{Lu}/u.test((tokens[first - 1] as Token).text) &&
      !isUsed(draft, tokens[first - 1] as Token) &&
      first - 1 > 0
    )
      first--;
    if (first === i) continue;
    const span = { start: (tokens[first] as Token).start, end: (tokens[i - 1] as Token).end };
    if (!isStopWord(text.slice(span.start, span.end).toLowerCase()))
      return { slot, span, value: wrap(slot, text.slice(span.start, span.end)), score: 2.6 };
  }
  return undefined;
}
