import { conceptsOf } from './concepts.ts';
import type { Slot } from './describe-slots.ts';
import { assign, type Draft, isUsed, openSlots } from './draft.ts';
import { isNegated } from './find-mentions.ts';
import { isStopWord } from './stop-words.ts';
import type { Span } from './types.ts';

const TURN_ON =
  /\b(?:turn(?:ed|ing)?|switch(?:ed|ing)?) (?:[\w-]+ ){0,4}?on\b|\b(?:enabled?|enabling|activated?)\b|\bon(?=\s*(?:[,.;!?]|$))|打开|开启|启用|开一下|开了/i;
const TURN_OFF =
  /\b(?:turn(?:ed|ing)?|switch(?:ed|ing)?) (?:[\w-]+ ){0,4}?off\b|\b(?:disabled?|disabling|deactivated?)\b|\boff(?=\s*(?:[,.;!?]|$))|关闭|关掉|停用|禁用|关上|关了/i;
const SWITCH_WORDS: ReadonlySet<string> = new Set([
  'on',
  'enabl',
  'enable',
  'activ',
  'active',
  'power',
  'state',
  'turn',
  'switch',
]);
const EMPTY_WORDS: ReadonlySet<string> = new Set([
  'is',
  'has',
  'includ',
  'with',
  'should',
  'send',
  'need',
  'requir',
  'want',
  'flag',
  'only',
  'allow',
  'add',
  'use',
  'can',
]);
const ASKED = /(?:是否|只看|只要|仅看?|仅限?)(\p{Script=Han}{2,12})/u;
const ASKED_VERB = /^(?:可以|允许|支持|要|需要?|包含?|含|为|有|是|启用|开启|发送|同时|已|加|可)+/;

/** Fills boolean slots whose subject the message names, false where it is denied; a switch goes by on and off. */
export function fillBooleans(draft: Draft): void {
  const { text } = draft.message;
  for (const slot of openSlots(draft, (candidate) => candidate.form === 'boolean' && !candidate.list)) {
    const subject = [...slot.nameWords].filter((word) => !EMPTY_WORDS.has(word) && !isStopWord(word));
    if (subject.every((word) => SWITCH_WORDS.has(word))) {
      const off = TURN_OFF.exec(text);
      const hit = off ?? TURN_ON.exec(text);
      if (hit !== null) assign(draft, slot, off === null, lastWord(hit));
      continue;
    }
    const span = findSubject(draft, slot, subject);
    if (span !== undefined && !isUsed(draft, span)) assign(draft, slot, !isNegated(draft, span), span);
  }
}

/** `turn the dark_mode flag off`: only the `off` is used up, the name between is someone else's. */
function lastWord(match: RegExpExecArray): Span {
  const word = /\S+$/.exec(match[0])?.[0] ?? match[0];
  const end = match.index + match[0].length;
  return { start: end - word.length, end };
}

/**
 * Where the message names what a boolean is about: all words of its name in a row, the Chinese after 是否 in its description, or
 * a word of its name (or of the same meaning) that the tool itself does not have.
 */
function findSubject(draft: Draft, slot: Slot, subject: readonly string[]): Span | undefined {
  const { tokens, text, concepts } = draft.message;
  const at = tokens.findIndex((_, i) => subject.every((word, j) => tokens[i + j]?.stem === word));
  if (at >= 0) return { start: tokens[at]?.start ?? 0, end: tokens[at + subject.length - 1]?.end ?? 0 };
  const asked = ASKED.exec(slot.description)?.[1] ?? '';
  for (const phrase of [asked, asked.replace(ASKED_VERB, '')]) {
    for (let size = phrase.length; size >= 2; size--) {
      const start = text.indexOf(phrase.slice(0, size));
      if (start >= 0) return { start, end: start + size };
    }
  }
  const word = tokens.find((token) => subject.includes(token.stem) && !draft.vocabulary.has(token));
  if (word !== undefined) return word;
  const named = slot.nameWords.size === 1 ? subject.flatMap((part) => conceptsOf(part)) : [];
  return concepts.find((hit) => named.includes(hit.concept) && !draft.entry.concepts.has(hit.concept));
}
