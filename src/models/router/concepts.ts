import { stem, type Token } from './tokenize.ts';
import type { Span } from './types.ts';
import { ACTIONS, DISTINCT_ACTIONS, GENERAL_ACTIONS, READING, THINGS } from './vocabulary-actions.ts';
import { VALUES } from './vocabulary-values.ts';

/** A place in a text where a word of a concept stands. */
export type ConceptHit = Span & { readonly concept: number };

const VOCABULARIES = [DISTINCT_ACTIONS, ACTIONS, GENERAL_ACTIONS, READING, THINGS, VALUES].map(linesOf);
const KINDS = ['distinct', 'other', 'general', 'reading'] as const;
const dictionary = buildDictionary();

/**
 * What kind of action a concept is, if any: `reading` shows something and `general` makes something, as most tools do; a
 * `distinct` one is done only by tools that say so.
 */
export function actionKind(concept: number): (typeof KINDS)[number] | undefined {
  let end = 0;
  for (const [i, lines] of VOCABULARIES.entries()) {
    end += lines.length;
    if (concept < end) return KINDS[i];
  }
  return undefined;
}

/** Finds the concepts named in a run of tokens, in the order of the text; one pass, at most six CJK words or three words ahead. */
export function findConcepts(tokens: readonly Token[]): ConceptHit[] {
  const hits: ConceptHit[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const first = tokens[i] as Token;
    if (first.kind === 'mark') continue;
    const reach = first.kind === 'cjk' ? 4 : 3;
    let key = '';
    for (let j = i; j < tokens.length && j < i + reach; j++) {
      const token = tokens[j] as Token;
      if ((token.kind === 'cjk') !== (first.kind === 'cjk') || token.kind === 'mark') break;
      if (first.kind === 'cjk' && j > i && token.start !== (tokens[j - 1] as Token).end) break;
      key += first.kind === 'cjk' || j === i ? token.stem : ` ${token.stem}`;
      for (const concept of dictionary.get(key) ?? []) hits.push({ concept, start: first.start, end: token.end });
    }
    if (first.kind === 'cjk' && first.text.length > 2) hits.push(...findInside(first));
  }
  return hits;
}

/** The concepts a single stem names. */
export function conceptsOf(word: string): readonly number[] {
  return dictionary.get(word) ?? [];
}

/** ICU joins words such as 打电话 or 高铁票; the concepts inside a long CJK token count too. */
function findInside(token: Token): ConceptHit[] {
  const hits: ConceptHit[] = [];
  for (let i = 0; i < token.text.length; i++) {
    for (let length = 2; length <= 4 && i + length <= token.text.length; length++) {
      if (length === token.text.length) continue;
      for (const concept of dictionary.get(token.text.slice(i, i + length)) ?? []) {
        hits.push({ concept, start: token.start + i, end: token.start + i + length });
      }
    }
  }
  return hits;
}

function buildDictionary(): Map<string, number[]> {
  const map = new Map<string, number[]>();
  for (const [concept, line] of VOCABULARIES.flat().entries()) {
    for (const entry of line.split(' ')) {
      const key = entry.split(/[_-]/).map(stem).join(' ');
      const known = map.get(key);
      if (known === undefined) map.set(key, [concept]);
      else if (!known.includes(concept)) known.push(concept);
    }
  }
  return map;
}

function linesOf(vocabulary: string): string[] {
  return vocabulary.split('\n').filter((line) => line !== '');
}
