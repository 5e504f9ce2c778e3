import { stem, type Token } from './tokenize.ts';
import type { Span } from './types.ts';
import {
  ANSWERING,
  CHANGING,
  DISTINCT_ACTIONS,
  DISTINCT_SUBJECTS,
  MAKING,
  READING,
  SPECIFIC_ACTIONS,
  TALKING,
  THINGS,
  VIEWING,
} from './vocabulary-actions.ts';
import { VALUES } from './vocabulary-values.ts';

/** A place in a text where a word of a concept stands. */
export type ConceptHit = Span & { readonly concept: number };

const VOCABULARIES = [
  DISTINCT_ACTIONS,
  DISTINCT_SUBJECTS,
  SPECIFIC_ACTIONS,
  ANSWERING,
  CHANGING,
  MAKING,
  READING,
  VIEWING,
  TALKING,
  THINGS,
  VALUES,
].map(linesOf);
const KINDS = [
  'distinct',
  'peculiar',
  'specific',
  'answering',
  'changing',
  'making',
  'reading',
  'viewing',
  'talking',
  'thing',
  'value',
] as const;

/** The kinds of concept: actions, as the vocabulary tells them apart, things, and values. */
export type ConceptKind = (typeof KINDS)[number];

const dictionary = buildDictionary();

const kinds = VOCABULARIES.flatMap((lines, i) => lines.map(() => KINDS[i] ?? 'thing'));

/** What kind of concept it is. */
export function kindOf(concept: number): ConceptKind {
  return kinds[concept] ?? 'thing';
}

/** Tells whether a concept is something to be done or told. */
export function isAction(concept: number): boolean {
  const kind = kindOf(concept);
  return kind !== 'thing' && kind !== 'value';
}

/**
 * Finds the concepts named in a run of tokens: English words and phrases of up to three words, and Chinese words of two to four
 * characters wherever they stand, since ICU joins and parts them its own way; a single character only as a word of its own.
 */
export function findConcepts(tokens: readonly Token[]): ConceptHit[] {
  const hits: ConceptHit[] = [];
  const add = (key: string, start: number, end: number): void => {
    for (const concept of dictionary.get(key) ?? []) hits.push({ concept, start, end });
  };
  for (let i = 0; i < tokens.length; i++) {
    const first = tokens[i] as Token;
    if (first.kind === 'mark') continue;
    if (first.kind === 'cjk') {
      const run = chineseFrom(tokens, i);
      for (let c = 0; c < first.text.length; c++)
        for (let length = 2; length <= 4 && c + length <= run.length; length++)
          add(run.slice(c, c + length), first.start + c, first.start + c + length);
      if (first.text.length === 1) add(first.text, first.start, first.end);
      continue;
    }
    let key = '';
    for (let j = i; j < tokens.length && j < i + 3; j++) {
      const token = tokens[j] as Token;
      if (token.kind === 'mark' || token.kind === 'cjk') break;
      key += j === i ? token.stem : ` ${token.stem}`;
      add(key, first.start, token.end);
    }
  }
  return hits;
}

/** The Chinese text from a token on, a few characters past it. */
function chineseFrom(tokens: readonly Token[], from: number): string {
  let run = '';
  for (let j = from; j < tokens.length && run.length < (tokens[from] as Token).text.length + 4; j++) {
    const token = tokens[j] as Token;
    if (token.kind !== 'cjk' || (j > from && token.start !== (tokens[j - 1] as Token).end)) break;
    run += token.text;
  }
  return run;
}

/** The concepts a single stem names. */
export function conceptsOf(word: string): readonly number[] {
  return dictionary.get(word) ?? [];
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
