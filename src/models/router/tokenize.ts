import type { Language, Span } from './types.ts';

/** A word, CJK word, number or mark of a text with its place in it. */
export type Token = Span & {
  readonly text: string;
  /** Lower case; for English words the light stem. */
  readonly stem: string;
  readonly lower: string;
  readonly kind: 'word' | 'cjk' | 'number' | 'mark';
};

/** Characters of a message beyond this are not read for words, dates or numbers: a request is at its start, and every later step stays bounded. */
export const MAX_MESSAGE_CHARS = 2_000;

const FULL_WIDTH = /[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff05\uff20]/g;
const PIECES =
  /[\p{Script=Latin}]+(?:['’][\p{Script=Latin}]+)*|\d+(?:[.,:]\d+)*|\p{Script=Han}+|[\p{L}\p{M}]+|[^\s\p{L}\p{N}]|\p{N}/gu;
const HAN = /\p{Script=Han}/u;
const LATIN_WORD = /[\p{Script=Latin}]{2,}/gu;
const HAN_GLOBAL = /\p{Script=Han}/gu;
const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });

/** Turns full-width letters and digits into ASCII ones, keeping every offset. */
export function normalizeText(text: string): string {
  return text.replace(FULL_WIDTH, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0)).replaceAll('\u3000', ' ');
}

/** Splits a text into words (CJK runs by ICU's dictionary), numbers and marks; white space is dropped. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(PIECES)) {
    const piece = match[0];
    const start = match.index;
    const lower = piece.toLowerCase();
    if (HAN.test(piece)) {
      for (const { segment, index } of segmenter.segment(piece)) {
        tokens.push({
          text: segment,
          lower: segment,
          stem: segment,
          kind: 'cjk',
          start: start + index,
          end: start + index + segment.length,
        });
      }
      continue;
    }
    const first = piece.codePointAt(0) ?? 0;
    const kind = first >= 48 && first <= 57 ? 'number' : /^[\p{L}\p{M}]/u.test(piece) ? 'word' : 'mark';
    tokens.push({
      text: piece,
      lower,
      stem: kind === 'word' ? stem(lower) : lower,
      kind,
      start,
      end: start + piece.length,
    });
  }
  return tokens;
}

/** Index of the first token that starts at or after an offset, or the number of tokens. */
export function firstTokenFrom(tokens: readonly Token[], offset: number): number {
  let low = 0;
  let high = tokens.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tokens[middle] as Token).start < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Splits an identifier such as `createTask_v2` or `due-date` into its lower-case words. */
export function splitIdentifier(name: string): string[] {
  return name
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== '');
}

/**
 * Reduces an English word to a light stem, so that `scheduling`, `schedules` and `schedule` meet. A reduced form of the
 * suffix steps of M. F. Porter, "An algorithm for suffix stripping" (1980); other words come back unchanged.
 */
export function stem(word: string): string {
  let root = word.replace(/['’](?:s|re|ll|ve|d|m)$/u, '');
  if (root.length <= 3) return root;
  if (root.endsWith('ies')) root = `${root.slice(0, -3)}y`;
  else if (/(?:sses|shes|ches|xes|zes)$/.test(root)) root = root.slice(0, -2);
  else if (root.endsWith('s') && !/(?:ss|us|is)$/.test(root)) root = root.slice(0, -1);
  if (root.length > 5 && root.endsWith('ing')) root = restore(root.slice(0, -3));
  else if (root.length > 4 && root.endsWith('ed') && !root.endsWith('eed')) root = restore(root.slice(0, -2));
  if (root.length >= 8 && root.endsWith('er')) root = root.slice(0, -2);
  if (root.length >= 9 && root.endsWith('ation')) return root.slice(0, -5);
  if (root.length >= 7 && root.endsWith('ion')) root = root.slice(0, -3);
  else if (root.endsWith('e') && root.length > 4) root = root.slice(0, -1);
  return root.length >= 6 && root.endsWith('at') ? root.slice(0, -2) : root;
}

/** The language to answer in: Chinese when Han characters outnumber Latin words, English for any other text with letters, else `undefined`. */
export function detectLanguage(text: string): Language | undefined {
  const sample = text.slice(0, MAX_MESSAGE_CHARS);
  const han = sample.match(HAN_GLOBAL)?.length ?? 0;
  const latin = sample.match(LATIN_WORD)?.length ?? 0;
  if (han === 0 && latin === 0) return undefined;
  return han > latin ? 'zh-CN' : 'en';
}

/** The end of a word before its suffix: `plann` is plan, and `hir` is hire. */
function restore(root: string): string {
  const doubled = (root.length > 3 && /([bgmnprt])\1$/.test(root)) || (root.length > 4 && /(?:ll|dd)$/.test(root));
  if (doubled) return root.slice(0, -1);
  return /^[^aeiou][aeiou][^aeiouwxy]$/.test(root) ? `${root}e` : root;
}
