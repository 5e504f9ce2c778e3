import type { Slot, SlotForm } from './describe-slots.ts';
import { around, type Claim, type Draft, grantClaims, nearness, openSlots } from './draft.ts';
import { readCurrencies } from './read-currencies.ts';
import type { Entity } from './read-entities.ts';
import { findTimeZone } from './read-time-zones.ts';

const FORMS: { readonly [kind in Entity['kind']]?: SlotForm } = {
  email: 'email',
  url: 'url',
  uuid: 'uuid',
  phone: 'phone',
};
const TO_BEFORE = /(?:to|into|in|as|against|versus|成|为|到|兑|换)\s*$/i;
const SPOKEN_OPERATORS: readonly (readonly [RegExp, string])[] = [
  [/\s*(?:plus|加上?)\s*/gi, ' + '],
  [/\s*(?:minus|减去?)\s*/gi, ' - '],
  [/\s*(?:times|multiplied by|乘以?|[×✕])\s*/gi, ' * '],
  [/\s*(?:divided by|除以|÷)\s*/gi, ' / '],
];

const OPERATOR = String.raw`\s*(?:[+\-*/×✕÷^]|plus|minus|times|multiplied by|divided by|加上?|减去?|乘以?|除以)\s*`;
const OPERAND = String.raw`[(\s]*-?\d[\d.,]*%?[)\s]*`;
const SUM = new RegExp(`${OPERAND}(?:${OPERATOR}${OPERAND})+`, 'gi');

/** Fills the slots whose values are told by their form: addresses, identifiers, phone numbers, currencies, time zones, sums. */
export function fillEntities(draft: Draft): void {
  const claims: Claim[] = [];
  for (const slot of openSlots(draft, () => true)) {
    if (slot.form === 'currency') claims.push(...claimCurrencies(draft, slot));
    else if (slot.form === 'timezone') claims.push(...claimTimeZone(draft, slot));
    else if (slot.form === 'expression') claims.push(...claimExpression(draft, slot));
    else if (slot.form === 'opaque') claims.push(...claimJson(draft, slot));
    else for (const entity of draft.message.entities) claims.push(...claimEntity(draft, slot, entity));
    if (slot.form === 'code') claims.push(...claimNumbers(draft, slot), ...claimCapitals(draft, slot));
  }
  grantClaims(draft, claims);
}

function claimEntity(draft: Draft, slot: Slot, entity: Entity): Claim[] {
  const near = nearness(draft, slot, entity) - entity.start / 100_000;
  if (FORMS[entity.kind] === slot.form)
    return [{ slot, span: entity, value: entity.value, score: 3 + near + (slot.required ? 1 : 0) }];
  if (slot.form === 'phone' && entity.kind === 'code' && /^\d{5,}$/.test(entity.value))
    return [{ slot, span: entity, value: entity.value, score: 2 + near }];
  if (slot.form !== 'code') return [];
  const value = codeValue(slot, entity.value);
  if (value === undefined) return [];
  if (entity.kind === 'code' || (entity.kind === 'handle' && slot.pattern !== undefined))
    return [{ slot, span: entity, value, score: shapeScore(slot, value) + near + (slot.required ? 1 : 0) }];
  const likely =
    entity.kind === 'uuid' ||
    (entity.kind === 'phone' && near > 0) ||
    // What has spaces is a name or a text, unless the pattern takes it.
    (entity.kind === 'quote' && (slot.pattern !== undefined || (near > 1 && !/\s/.test(entity.value))));
  return likely ? [{ slot, span: entity, value, score: 1.5 + near }] : [];
}

/** An identifier as the slot's pattern wants it: as written, without its number sign, or in capitals; none with another prefix than the example's. */
function codeValue(slot: Slot, raw: string): string | undefined {
  const bare = raw.replace(/^#/, '');
  if (slot.pattern !== undefined) return [raw, bare, bare.toUpperCase()].find((variant) => slot.pattern?.(variant));
  const wanted = prefixOf(slot.example ?? '');
  const given = prefixOf(bare);
  return wanted !== undefined && given !== undefined && wanted !== given ? undefined : bare;
}

/** How well an identifier has the shape the schema shows. */
function shapeScore(slot: Slot, value: string): number {
  if (slot.pattern !== undefined) return 6;
  if (slot.example === undefined) return 2;
  const prefix = prefixOf(slot.example);
  if (prefix !== undefined) return prefixOf(value) === prefix ? 5 : 1;
  return /_/.test(slot.example) === /_/.test(value) && /\d/.test(slot.example) === /\d/.test(value) ? 3 : 1;
}

/** Tells whether an identifier has the prefix of the example in the slot's description. */
export function hasShapeOf(slot: Slot, value: string): boolean {
  const prefix = prefixOf(slot.example ?? '');
  return prefix !== undefined && prefixOf(value) === prefix;
}

/** `ORD` of ORD-10001. */
function prefixOf(code: string): string | undefined {
  return /^([A-Za-z]{2,6})-(?=[\w-]*\d)/.exec(code)?.[1]?.toUpperCase();
}

/** `the order to 5 Main Street`: what the label has to do with ends there. */
const LEADS_AWAY = /\b(?:to|for|in|at|by|from|until|under|than)\s*$/i;

/** `order 42`, 订单42: a short number is an identifier only where its label stands beside it. */
function claimNumbers(draft: Draft, slot: Slot): Claim[] {
  return draft.message.numbers.flatMap((number) => {
    const raw = draft.message.text.slice(number.digits.start, number.digits.end);
    const near = nearness(draft, slot, number.digits);
    const value = codeValue(slot, raw);
    const labelled =
      (slot.example === undefined ? near >= 1 : near >= 2.2) && !LEADS_AWAY.test(around(draft, number.digits).before);
    return /^\d+$/.test(raw) &&
      number.unit === undefined &&
      value !== undefined &&
      (labelled || slot.pattern !== undefined)
      ? [{ slot, span: number.digits, value, score: 1 + near }]
      : [];
  });
}

/** `promo code SUMMER`, `AAPL`: a word in capitals beside its label. */
function claimCapitals(draft: Draft, slot: Slot): Claim[] {
  const shown = slot.pattern !== undefined || /^[A-Z]+$/.test(slot.example ?? '');
  return draft.message.tokens.flatMap((token) => {
    if (!/^[A-Z]{2,12}$/.test(token.text) || draft.vocabulary.has(token) || prefixOf(slot.example ?? '') !== undefined)
      return [];
    const near = nearness(draft, slot, token);
    const value = codeValue(slot, token.text);
    return value !== undefined && (near >= 1.5 || shown)
      ? [{ slot, span: token, value, score: near + (shown ? 2 : 0) }]
      : [];
  });
}

function claimCurrencies(draft: Draft, slot: Slot): Claim[] {
  return readCurrencies(draft.message).map((span) => {
    const to = TO_BEFORE.test(around(draft, span).before);
    const side = slot.side === undefined ? 0 : (slot.side === 'to') === (to || !span.besideNumber) ? 2 : 0;
    const score = 2 + side + (span.besideNumber ? 0.5 : 0) + nearness(draft, slot, span) / 3 - span.start / 10_000;
    return { slot, span, value: span.code, score };
  });
}

function claimTimeZone(draft: Draft, slot: Slot): Claim[] {
  const zone = findTimeZone(draft.message.text);
  return zone === undefined ? [] : [{ slot, span: zone, value: zone.zone, score: 3 + nearness(draft, slot, zone) }];
}

/** A sum in digits or words, with the operators a calculator reads. */
function claimExpression(draft: Draft, slot: Slot): Claim[] {
  return [...draft.message.text.matchAll(SUM)].flatMap((match) => {
    const value = SPOKEN_OPERATORS.reduce((sum, [words, operator]) => sum.replace(words, operator), match[0]).trim();
    const span = { start: match.index, end: match.index + match[0].length };
    return /[+\-*/^]/.test(value) ? [{ slot, span, value, score: 3 + value.length / 100 }] : [];
  });
}

/** Objects and lists of objects have no words in a message: they are taken as JSON, so that a question for one can be answered. */
function claimJson(draft: Draft, slot: Slot): Claim[] {
  const whole = draft.message.text + draft.message.tail;
  const [open, close] = slot.list ? ['[', ']'] : ['{', '}'];
  const start = whole.indexOf(open);
  const end = whole.lastIndexOf(close) + 1;
  if (start < 0 || end <= start) return [];
  try {
    return [{ slot, span: { start, end }, value: JSON.parse(whole.slice(start, end)), score: 5 }];
  } catch {
    return [];
  }
}
