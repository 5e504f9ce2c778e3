import { isContent, saysNothing, trim } from './capture-text.ts';
import type { Slot } from './describe-slots.ts';
import { assign, type Draft, isUsed, openSlots } from './draft.ts';
import { isChineseName, isRequestVerb } from './request-words.ts';
import type { Role } from './slot-roles.ts';
import type { Token } from './tokenize.ts';
import { overlaps, type Span } from './types.ts';

/** Roles a leftover phrase goes to first; names of people need a cue or a capital letter. */
const LEFTOVER_ORDER: readonly Role[] = [
  'topic',
  'task',
  'item',
  'place',
  'destination',
  'symbol',
  'person',
  'other',
  'body',
];
const LIST_SEPARATORS = /\s*(?:,|，|、|;|；|&|\band\b|(?<=\p{Script=Han})[和与跟及](?=\p{Script=Han}))\s*/u;

const PRONOUN =
  /^(?:me|you|him|her|it|them|us|this|that|these|those|everyone|someone|something|my|your|我|你|他|她|它|我们|他们|这个|那个|这|那|自己|大家)$/i;
/** Gives each required text slot that no cue filled the longest run of words that nothing else explains. */
export function fillLeftovers(draft: Draft): void {
  const slots = openSlots(draft, (slot) => slot.form === 'text' && slot.required && takesLeftover(draft, slot)).sort(
    byLeftoverOrder,
  );
  for (const slot of slots) fillLeftover(draft, slot);
}

/** Tells whether a captured text only points at something. */
export function isPronoun(text: string): boolean {
  return PRONOUN.test(text);
}

/** Splits a captured list into its members. */
function splitList(text: string): string[] {
  return text
    .split(LIST_SEPARATORS)
    .map((part) => part.replace(/^(?:and|or|the|a|an)\s+/i, '').trim())
    .filter((part) => part !== '');
}

/** A captured text as the slot takes it: split where the slot is a list. */
export function wrap(slot: Slot, value: string): unknown {
  return slot.list ? splitList(value) : value;
}

/** Titles, running text, reasons and origins need a cue; a text to work on does when the tool wants nothing else in words. */
function takesLeftover(draft: Draft, slot: Slot): boolean {
  if (slot.role === 'body')
    return !draft.entry.slots.some((other) => other !== slot && other.form === 'text' && other.required);
  if (slot.role === 'task' && draft.message.language !== 'zh-CN') return false;
  return LEFTOVER_ORDER.includes(slot.role);
}

function byLeftoverOrder(a: Slot, b: Slot): number {
  return LEFTOVER_ORDER.indexOf(a.role) - LEFTOVER_ORDER.indexOf(b.role);
}

function opensRequest(draft: Draft, token: Token): boolean {
  return isRequestVerb(token) || draft.message.actions.some((hit) => hit.start <= token.start && hit.end >= token.end);
}

/** Roles whose English values begin with a capital where the writer uses them. */
const NAMES: ReadonlySet<Role> = new Set(['person', 'place', 'destination']);

/** The longest run of words that neither the tool nor another argument explains. */
function fillLeftover(draft: Draft, slot: Slot): void {
  const { tokens, text } = draft.message;
  let best: { span: Span; size: number } | undefined;
  let start = -1;
  let last = -1;
  let size = 0;
  const close = (): void => {
    if (size > 0) {
      const span = trim(text, (tokens[start] as Token).start, (tokens[last] as Token).end);
      if (span !== undefined && (best === undefined || size > best.size)) best = { span, size };
    }
    size = 0;
  };
  for (const [i, token] of tokens.entries()) {
    const blocked = isUsed(draft, token) || isAddress(draft, token) || /^[,.;!?，。；！？\n]$/.test(token.text);
    if (blocked) close();
    else if (isContent(draft, token) && !(size === 0 && opensRequest(draft, token))) {
      if (size === 0) start = i;
      last = i;
      size++;
    } else if (size > 0 && ENDS_LEFTOVER.has(token.lower)) close();
  }
  close();
  if (best === undefined) return;
  const value = text.slice(best.span.start, best.span.end);
  if (PRONOUN.test(value) || value.length > slot.maxLength || /^\p{Script=Han}$/u.test(value)) return;
  if (saysNothing(draft, best.span) || (NAMES.has(slot.role) && /^\p{Script=Han}{9}/u.test(value))) return;
  if (NAMES.has(slot.role) && /^\p{Ll}/u.test(value) && (slot.role === 'person' || /^\p{Lu}/u.test(text))) return;
  if (slot.role === 'person' && /^\p{Script=Han}/u.test(value) && !isChineseName(value)) return;
  assign(draft, slot, wrap(slot, value), best.span);
  draft.leftovers.push(best.span);
}

/** An identifier or address that no parameter took is no name or topic. */
function isAddress(draft: Draft, token: Token): boolean {
  return draft.message.entities.some(
    (entity) => (entity.kind === 'code' || entity.kind === 'email' || entity.kind === 'url') && overlaps(entity, token),
  );
}

const ENDS_LEFTOVER: ReadonlySet<string> = new Set([
  'for',
  'from',
  'to',
  'at',
  'in',
  'on',
  'with',
  'by',
  'into',
  '把',
  '给',
  '从',
  '到',
  '在',
]);
