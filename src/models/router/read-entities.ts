import type { Span } from './types.ts';

/** A piece of text whose form tells what it is. */
export type Entity = Span & {
  readonly kind: 'quote' | 'email' | 'url' | 'uuid' | 'phone' | 'code' | 'handle';
  readonly value: string;
};

const QUOTES: readonly (readonly [open: string, close: string])[] = [
  ['“', '”'],
  ['「', '」'],
  ['『', '』'],
  ['"', '"'],
  ['《', '》'],
  ['`', '`'],
  ['‘', '’'],
];
const EMAIL = /[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g;
const URL_TEXT = /(?:https?:\/\/|www\.)[\w\-.~:/?#[\]@!$&'()*+,;=%]+/g;
const DOMAIN =
  /(?<![\w@.-])(?:[a-z0-9-]{1,63}\.){1,4}(?:com|org|net|io|dev|ai|cn|co|edu|gov|app|info)(?:\/[\w\-./?=&%#]*)?(?![\w.-]*@)/gi;
const UUID = /(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])/gi;
const PHONE =
  /(?<![\w-])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,4}\)[ -]?)?\d{2,4}(?:[ -]\d{2,8}){1,4}(?![\w-])|(?<![\w-])\+?\d{11,13}(?![\w-])/g;
const WORDS = /#?[A-Za-z0-9]+(?:[-_/.][A-Za-z0-9]+)*/g;
const HANDLE = /(?<![\w.])[@#][\p{L}\p{N}_-]{1,64}/gu;
const TIME_LIKE =
  /^(?:\d{1,4}(?:am|pm|st|nd|rd|th|k|m|h|hr|hrs|min|mins|s|sec|d|w|kg|g|km|cm|mm|lb|lbs|oz|gb|mb|kb|tb|bn|x|pm|p|l|ml|usd|eur|gbp|cny|rmb|c|f)|q[1-4]|[12]\d{3}-q[1-4]|\d{1,4}-(?:day|hour|minute|week|month|year|night|star|person|people|inch).*)$/i;
const DATE_LIKE = /^\d{1,4}([-/.])\d{1,2}(?:\1\d{1,4})?(?:t\d.*)?$/i;

/** Reads quoted text, addresses, identifiers, phone numbers and handles, in the order of the text; earlier kinds win where two overlap. A quote may end in `tail`, which is not read otherwise. */
export function readEntities(text: string, tail = ''): Entity[] {
  const found: Entity[] = readQuotes(text, tail);
  const taken = new Uint8Array(text.length + 1);
  const claim = (entity: Entity): boolean => {
    if (taken[entity.start] === 1 || taken[Math.max(entity.start, entity.end - 1)] === 1) return false;
    taken.fill(1, entity.start, entity.end);
    return true;
  };
  found.forEach(claim);
  const add = (kind: Entity['kind'], start: number, value: string): void => {
    const entity = { kind, start, end: start + value.length, value };
    if (value !== '' && claim(entity)) found.push(entity);
  };
  for (const m of text.matchAll(URL_TEXT)) add('url', m.index, m[0].replace(/[.,;:!?)\]']+$/, ''));
  for (const m of text.matchAll(EMAIL)) add('email', m.index, m[0].replace(/[.-]+$/, ''));
  for (const m of text.matchAll(UUID)) add('uuid', m.index, m[0]);
  for (const m of text.matchAll(DOMAIN)) add('url', m.index, m[0].replace(/[.,]+$/, ''));
  for (const m of text.matchAll(PHONE)) if (isPhone(m[0])) add('phone', m.index, m[0]);
  for (const m of text.matchAll(WORDS)) if (isCode(m[0])) add('code', m.index, m[0]);
  for (const m of text.matchAll(HANDLE)) add('handle', m.index, m[0]);
  return found.sort((a, b) => a.start - b.start);
}

/** Quoted text; a mark without its partner is no quote, and an apostrophe inside a word is none either. */
function readQuotes(text: string, tail: string): Entity[] {
  const quotes: Entity[] = [];
  const closes = new Map(QUOTES);
  const missing = new Set<string>();
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    const single = char === "'" && !/[\p{L}\p{N}]/u.test(text.charAt(i - 1));
    const close = single ? "'" : closes.get(char);
    if (close === undefined || missing.has(close)) continue;
    const end = single ? endOfSingle(text, i + 1) : text.indexOf(close, i + 1);
    const beyond = end < 0 && !single ? tail.indexOf(close) : -1;
    if (beyond >= 0) {
      quotes.push({ kind: 'quote', start: i, end: text.length, value: text.slice(i + 1) + tail.slice(0, beyond) });
      return quotes;
    }
    if (end < 0) missing.add(close);
    else {
      if (end > i + 1) quotes.push({ kind: 'quote', start: i, end: end + 1, value: text.slice(i + 1, end) });
      i = end;
    }
  }
  return quotes;
}

function endOfSingle(text: string, from: number): number {
  for (let i = text.indexOf("'", from); i >= 0; i = text.indexOf("'", i + 1)) {
    if (!/[\p{L}\p{N}]/u.test(text.charAt(i + 1))) return i;
  }
  return -1;
}

function isPhone(text: string): boolean {
  const digits = text.replace(/\D/g, '').length;
  return digits >= 7 && digits <= 15 && !DATE_LIKE.test(text) && !/^\d{4}-\d{2}-\d{2}/.test(text);
}

/** An identifier has underscores, or digits together with letters or a number sign, or is a long plain number; sizes, ordinals and dates are none. */
function isCode(word: string): boolean {
  if (/^[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+$/.test(word)) return true;
  if (!/\d/.test(word) || TIME_LIKE.test(word) || DATE_LIKE.test(word)) return false;
  if (word.startsWith('#')) return true;
  if (/^\d+$/.test(word)) return word.length >= 5;
  if (/^\d+(?:\.\d+)+$/.test(word)) return word.split('.').length > 2;
  if (/^\d+[/-]\d+$/.test(word)) return false;
  return /[A-Za-z]/.test(word) || /-/.test(word);
}
