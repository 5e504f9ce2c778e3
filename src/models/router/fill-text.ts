import { capture, hasContent, isContent, saysNothing } from './capture-text.ts';
import type { Slot } from './describe-slots.ts';
import { assign, type Claim, type Draft, grantClaims, isUsed, nearness, openSlots } from './draft.ts';
import { isPronoun, wrap } from './fill-leftover.ts';
import { type CueHit, findCues, isGenericLabel, leadsTo, stopsFor } from './find-cues.ts';
import { isChineseName, isRequestStem } from './request-words.ts';
import type { Role } from './slot-roles.ts';
import { isStopWord } from './stop-words.ts';
import { stem, type Token } from './tokenize.ts';
import type { Span } from './types.ts';

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
  // Best first; what one slot took ends what another can reach, so the rest is read again.
  for (let left = open; left.length > 0; left = left.filter((slot) => !draft.values.has(slot))) {
    const claims = left.flatMap((slot) => claimCues(draft, slot, starts.get(slot) ?? [], stopsFor(slot, starts)));
    const best = claims
      .filter((claim) => claim.score >= (claim.slot.required ? 1 : 2))
      .sort((a, b) => b.score - a.score)[0];
    if (best === undefined) break;
    assign(draft, best.slot, best.value, best.span);
  }
  fillOrigin(draft);
}

/** 北京到广州, `Boston to Denver`: what stands right before the way to the destination is the origin. */
function fillOrigin(draft: Draft): void {
  const { tokens, text } = draft.message;
  for (const slot of openSlots(draft, (candidate) => candidate.form === 'text' && candidate.role === 'origin')) {
    const at = tokens.findIndex(
      (token, i) => i > 0 && TO_WORDS.has(token.lower) && isUsed(draft, tokens[i + 1] ?? token),
    );
    let first = at;
    while (first > 0 && isOriginWord(draft, tokens[first - 1] as Token)) first--;
    if (at < 0 || first === at) continue;
    const span = { start: (tokens[first] as Token).start, end: (tokens[at - 1] as Token).end };
    assign(draft, slot, wrap(slot, text.slice(span.start, span.end)), span);
  }
}

const TO_WORDS: ReadonlySet<string> = new Set(['to', '到', '至', '飞', '去', '-', '→']);

function isOriginWord(draft: Draft, token: Token): boolean {
  return !isUsed(draft, token) && isContent(draft, token) && (token.kind === 'cjk' || /^\p{Lu}/u.test(token.text));
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
    const span = capture(
      draft,
      cue.reach === 'phrase' ? skipToolWords(draft, after) : after,
      cue.reach,
      stops,
      slot.list,
    );
    if (span === undefined) continue;
    const { text, tail } = draft.message;
    // Running text that reaches the end of what is read goes on to the end of the message.
    const value =
      text.slice(span.start, span.end) + (cue.reach === 'rest' && span.end === text.length ? tail.trimEnd() : '');
    const sure = label || cue.weight >= 4;
    if (
      isPronoun(value) ||
      isIdentifier(draft, span) ||
      saysNothing(draft, span) ||
      value.length > slot.maxLength ||
      !(sure || hasContent(draft, span))
    )
      continue;
    const score = cue.weight + properness(draft, slot, value, cue.weight) + (slot.required ? 0.5 : 0) - at / 1_000;
    claims.push({ slot, span, value: wrap(slot, value), score });
  }
  const before = valueBeforeLabel(draft, slot);
  return before === undefined ? claims : [...claims, before];
}

/** `search the knowledge base for …`: the tool's own words up to a `for` are no part of what is searched. */
function skipToolWords(draft: Draft, from: number): number {
  const { tokens } = draft.message;
  for (let i = from; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (/^(?:for|about|on|regarding)$/.test(token.lower)) return i + 1;
    if (!draft.vocabulary.has(token) && !isStopWord(token.lower)) return from;
  }
  return from;
}

/** English names begin with a capital, and a lower-case word after `to` or `for` is seldom one; a Chinese name looks like one. */
function properness(draft: Draft, slot: Slot, value: string, weight: number): number {
  if (/^\p{Script=Han}/u.test(value))
    return slot.role === 'person' && weight < 4 && !slot.list && !isChineseName(value) ? -3 : 0;
  if (!/^[A-Za-z]/.test(value)) return 0;
  const capital = /^\p{Lu}/u.test(value);
  if (!capital && NAME_ROLES.has(slot.role) && isRequestWord(value)) return -3;
  if (slot.role === 'person') return capital ? 1 : hasCapitals(draft) || weight < 3 ? -3 : -1;
  if (slot.role === 'title') return capital || weight > 2 ? 0 : -3;
  const proper = slot.role === 'place' || slot.role === 'origin' || slot.role === 'destination';
  return proper ? (capital ? 1 : hasCapitals(draft) ? -1 : 0) : 0;
}

function isIdentifier(draft: Draft, span: Span): boolean {
  return draft.message.entities.some(
    (entity) =>
      (entity.kind === 'code' || entity.kind === 'email' || entity.kind === 'url') &&
      entity.start <= span.start &&
      entity.end >= span.end &&
      !/^\d+$/.test(entity.value),
  );
}

/** `to book a flight` leads to no place. */
function isRequestWord(value: string): boolean {
  return isRequestStem(stem(/^[\p{L}]+/u.exec(value)?.[0].toLowerCase() ?? ''));
}

const NAME_ROLES: ReadonlySet<Role> = new Set<Role>(['person', 'place', 'origin', 'destination']);

function hasCapitals(draft: Draft): boolean {
  return /[^.!?\s]\s+\p{Lu}/u.test(draft.message.text);
}

/** `the Marketing department`, 阿波罗项目: the name stands before its label. */
function valueBeforeLabel(draft: Draft, slot: Slot): Claim | undefined {
  const { tokens, text } = draft.message;
  for (let i = 1; i < tokens.length; i++) {
    const label = tokens[i] as Token;
    const han = label.kind === 'cjk';
    if (
      isGenericLabel(label.stem) ||
      !(han ? label.text.length > 1 && slot.labelWords.has(label.text) : slot.nameWords.has(label.stem))
    )
      continue;
    let first = i;
    while (
      first > 0 &&
      belongsToName(draft, tokens[first - 1] as Token, tokens[first] as Token, han) &&
      (han || first > 1)
    )
      first--;
    if (first === i) continue;
    const span = { start: (tokens[first] as Token).start, end: (tokens[i - 1] as Token).end };
    const value = text.slice(span.start, span.end);
    if (!isStopWord(value.toLowerCase()) && value.length > 1)
      return { slot, span, value: wrap(slot, value), score: 2.6 };
  }
  return undefined;
}

function belongsToName(draft: Draft, token: Token, next: Token, han: boolean): boolean {
  if (isUsed(draft, token)) return false;
  return han
    ? token.kind === 'cjk' && token.end === next.start && isContent(draft, token)
    : /^\p{Lu}/u.test(token.text);
}
