import { type ConceptKind, conceptsOf, findConcepts, isAction, kindOf } from './concepts.ts';
import { describeSlots, type Slot } from './describe-slots.ts';
import type { ReadMessage } from './read-message.ts';
import { isRequestStem } from './request-words.ts';
import { isStopWord } from './stop-words.ts';
import { firstTokenFrom, splitIdentifier, stem, type Token, tokenize } from './tokenize.ts';
import { overlaps, type RouterTool, type Span } from './types.ts';

/** A tool with what ranking and filling need of it, computed once per tool list. */
export type ToolEntry = {
  readonly tool: RouterTool;
  /** The tool's and its parameters' texts, the beginning of each. */
  readonly about: string;
  readonly slots: readonly Slot[];
  /** Stems of the words in the tool's name and description: they name the request, not its arguments. */
  readonly vocabulary: ReadonlySet<string>;
  readonly concepts: ReadonlySet<number>;
  /** The verbs the tool's name begins with, and those of them that change something. */
  readonly nameVerbs: readonly number[];
  readonly nameActions: ReadonlySet<number>;
  /** Terms for what the tool is about, not what it does: of its name, and of its name and description. */
  readonly nameThings: ReadonlySet<string>;
  readonly headThings: ReadonlySet<string>;
};

/** A tool list prepared for ranking; kept as long as the list is the same. */
export type ToolIndex = {
  readonly entries: readonly ToolEntry[];
  readonly postings: ReadonlyMap<string, readonly { readonly entry: number; readonly weight: number }[]>;
};

/** A tool's match with a message. */
export type RankedTool = {
  readonly entry: ToolEntry;
  readonly score: number;
  /** Weight of the message terms the tool holds, by the tokens they come from. */
  readonly matched: readonly {
    readonly key: string;
    readonly span: Span;
    readonly weight: number;
    readonly rare: boolean;
  }[];
};

type Term = { readonly key: string; readonly span: Span; readonly weight: number };

const FIELD_WEIGHTS = { name: 2.5, description: 1.4, parameter: 0.8, hint: 0.4, option: 0.7 };
const CONCEPT_WEIGHT = 0.7;
const SINGLE_CHARACTER_WEIGHT = 0.35;
const QUOTED_WEIGHT = 0.15;
const LIGHT_WEIGHT = 0.7;
const NOUN_WEIGHT = 0.3;
/** BM25's saturation and length normalisation (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009). */
const K1 = 1.2;
const B = 0.4;
/** Tools that are imagined beside the list, so that the weights of a word mean the same for one tool as for thirty. */
const BACKGROUND_TOOLS = 20;
const MAX_DESCRIPTION_CHARS = 2_000;
/** A word that at most this share of the tools has tells them apart. */
const RARE_SHARE = 0.15;
const MAX_QUERY_TERMS = 400;
const MAX_OPTIONS = 50;

/** A tool prepared by itself: what it costs most to make an index of. */
export type PreparedTool = { readonly entry: ToolEntry; readonly weights: ReadonlyMap<string, number> };

/** Prepares one tool for ranking. Cost grows with the text of its schema. */
export function prepareTool(tool: RouterTool): PreparedTool {
  const name = splitIdentifier(tool.name).join(' ');
  const description = tokenize(tool.description.slice(0, MAX_DESCRIPTION_CHARS));
  const heading = [...tokenize(name), ...description];
  const vocabulary = new Set(heading.filter((token) => token.kind !== 'mark').map((token) => token.stem));
  const slots = describeSlots(tool.inputSchema, vocabulary);
  const nameTerms = termsOf(tokenize(name), true);
  const headTerms = [...nameTerms, ...termsOf(description, true)];
  const weights = new Map<string, number>();
  addTerms(weights, nameTerms, FIELD_WEIGHTS.name);
  addTerms(weights, termsOf(description, true), FIELD_WEIGHTS.description);
  for (const slot of slots) {
    addTerms(weights, termsOf(tokenize(splitIdentifier(slot.name).join(' ')), true), FIELD_WEIGHTS.parameter);
    addTerms(weights, termsOf(tokenize(slot.description.slice(0, 400)), true), FIELD_WEIGHTS.hint);
    for (const option of slot.options.slice(0, MAX_OPTIONS)) {
      addTerms(weights, termsOf(tokenize(splitIdentifier(String(option.value)).join(' ')), true), FIELD_WEIGHTS.option);
      for (const phrase of option.phrases)
        addTerms(
          weights,
          termsOf(tokenize(phrase.join(/\p{Script=Han}/u.test(phrase[0] ?? '') ? '' : ' ')), true),
          FIELD_WEIGHTS.option,
        );
    }
  }
  const nameVerbs = nameVerbsOf(name);
  const entry: ToolEntry = {
    tool,
    about: [name, tool.description.slice(0, 500), ...slots.map((slot) => slot.description.slice(0, 200))].join(' '),
    slots,
    vocabulary,
    concepts: new Set([...findConcepts(tokenize(name)), ...findConcepts(description)].map((hit) => hit.concept)),
    nameVerbs,
    nameActions: new Set(nameVerbs.filter(isDoing)),
    nameThings: new Set(nameTerms.map((term) => term.key).filter(isThing)),
    headThings: new Set(headTerms.map((term) => term.key).filter(isThing)),
  };
  return { entry, weights };
}

/** The index of a list of prepared tools. */
export function createToolIndex(tools: readonly PreparedTool[]): ToolIndex {
  return { entries: tools.map(({ entry }) => entry), postings: weigh(tools.map(({ weights }) => weights)) };
}

/** The tools that share words with a message, best first, by BM25 over words, CJK bigrams and concepts. */
export function rankTools(index: ToolIndex, message: ReadMessage): RankedTool[] {
  const scores = new Map<
    number,
    { score: number; matched: { key: string; span: Span; weight: number; rare: boolean }[] }
  >();
  for (const term of queryTerms(message)) {
    const postings = index.postings.get(term.key) ?? [];
    const rare = postings.length <= Math.max(2, RARE_SHARE * index.entries.length);
    for (const { entry, weight } of postings) {
      const known = scores.get(entry) ?? { score: 0, matched: [] };
      known.score += weight * term.weight;
      known.matched.push({ key: term.key, span: term.span, weight: weight * term.weight, rare });
      scores.set(entry, known);
    }
  }
  return [...scores]
    .map(([entry, { score, matched }]) => ({ entry: index.entries[entry] as ToolEntry, score, matched }))
    .sort((a, b) => b.score - a.score);
}

/** The message's terms, each once, quoted text and addresses weighing little. */
function queryTerms(message: ReadMessage): Term[] {
  const terms = new Map<string, Term>();
  const aside = [
    ...message.entities,
    ...message.temporals(false).dates,
    ...message.numbers.filter((number) => number.unit !== undefined),
  ];
  for (const term of termsOf(message.tokens, false).slice(0, MAX_QUERY_TERMS)) {
    const place = aside.some((span) => overlaps(span, term.span))
      ? QUOTED_WEIGHT
      : earliness(message, term.span) * (isLight(term.key) ? LIGHT_WEIGHT : isNoun(message, term) ? NOUN_WEIGHT : 1);
    const weighed = { ...term, weight: term.weight * place };
    const known = terms.get(term.key);
    if (known === undefined || known.weight < weighed.weight) terms.set(term.key, weighed);
  }
  return [...terms.values()];
}

/** `get`, `find` and `make` are said of anything. */
function isLight(key: string): boolean {
  const meanings = key.startsWith('~') ? [Number(key.slice(1))] : conceptsOf(key);
  return meanings.length > 0 && meanings.every((concept) => LIGHT.has(kindOf(concept)));
}

/** `an update on my order` asks for nothing to be updated. */
function isNoun(message: ReadMessage, term: Term): boolean {
  const before = message.tokens[firstTokenFrom(message.tokens, term.span.start) - 1];
  return before !== undefined && /^an?$/.test(before.lower) && !isThing(term.key);
}

/** A request says what it wants first and its details after: words past the first dozen weigh half. */
function earliness(message: ReadMessage, span: Span): number {
  const place = firstTokenFrom(message.tokens, span.start);
  return place < 5 ? 1.2 : place < 12 ? 1 : place < 40 ? 0.7 : 0.4;
}

/** Words, CJK bigrams and single characters, and concepts of a text. Every character of a tool's text counts, of a message only the one-character words. */
function termsOf(tokens: readonly Token[], ofTool: boolean): Term[] {
  const terms: Term[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.kind === 'mark' || token.kind === 'number' || isStopWord(token.lower)) continue;
    const span = { start: token.start, end: token.end };
    if (token.kind === 'word') {
      terms.push({ key: token.stem, span, weight: 1 });
      const following = tokens[i + 1];
      // `time sheet` in a tool is met by `timesheet` in a message.
      if (ofTool && following?.kind === 'word')
        terms.push({ key: stem(token.lower + following.lower), span, weight: 1 });
      continue;
    }
    const chars = [...token.text];
    for (let c = 0; c + 1 < chars.length; c++) terms.push({ key: `${chars[c]}${chars[c + 1]}`, span, weight: 1 });
    const next = tokens[i + 1];
    const touches = next !== undefined && next.kind === 'cjk' && next.start === token.end && !isStopWord(next.lower);
    if (touches)
      terms.push({
        key: `${chars.at(-1)}${next.text.charAt(0)}`,
        span: { start: token.start, end: next.end },
        weight: 0.5,
      });
    if (ofTool || chars.length === 1)
      for (const char of chars) terms.push({ key: char, span, weight: SINGLE_CHARACTER_WEIGHT });
  }
  for (const hit of findConcepts(tokens))
    terms.push({ key: `~${hit.concept}`, span: { start: hit.start, end: hit.end }, weight: CONCEPT_WEIGHT });
  return terms;
}

function addTerms(weights: Map<string, number>, terms: readonly Term[], fieldWeight: number): void {
  for (const { key, weight } of terms) weights.set(key, (weights.get(key) ?? 0) + weight * fieldWeight);
}

/** The weight in BM25 of a word that one tool alone of the list has, once: what scores can be held against, whatever the list's length. */
export function weightOfOwnWord(index: ToolIndex): number {
  return rarity(index.entries.length, 1);
}

/** Inverse document frequency (Robertson and Zaragoza, 2009) of a word that `holders` of the tools have. */
function rarity(tools: number, holders: number): number {
  return Math.log(1 + (tools + BACKGROUND_TOOLS - holders + 0.5) / (holders + 0.5));
}

function weigh(documents: readonly ReadonlyMap<string, number>[]): Map<string, { entry: number; weight: number }[]> {
  const lengths = documents.map((weights) => weights.values().reduce((sum, weight) => sum + weight, 0));
  const average = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length);
  const postings = new Map<string, { entry: number; weight: number }[]>();
  for (const [entry, weights] of documents.entries()) {
    const norm = K1 * (1 - B + (B * (lengths[entry] ?? 0)) / Math.max(1, average));
    for (const [key, frequency] of weights) {
      const list = postings.get(key) ?? [];
      list.push({ entry, weight: (frequency * (K1 + 1)) / (frequency + norm) });
      postings.set(key, list);
    }
  }
  const total = documents.length;
  for (const list of postings.values()) {
    const idf = rarity(total, list.length);
    for (const posting of list) posting.weight *= idf;
  }
  return postings;
}

/** The verbs a tool's name begins with (`cancel_meeting`); a noun such as `shipping` further on is none. */
function nameVerbsOf(name: string): number[] {
  return findConcepts(tokenize(name))
    .filter((hit) => hit.start === 0 && isAction(hit.concept))
    .map((hit) => hit.concept);
}

/** An action that changes something, which a message names when it wants it. */
function isDoing(concept: number): boolean {
  return DOING.has(kindOf(concept));
}

/** A term for what is wanted rather than how: a thing, or an action that is its own subject. */
function isThing(key: string): boolean {
  const meanings = key.startsWith('~') ? [Number(key.slice(1))] : conceptsOf(key);
  return (meanings.length === 0 && !isRequestStem(key)) || meanings.some((concept) => SUBJECTS.has(kindOf(concept)));
}

const DOING: ReadonlySet<ConceptKind> = new Set<ConceptKind>([
  'distinct',
  'peculiar',
  'specific',
  'changing',
  'making',
]);
const LIGHT: ReadonlySet<ConceptKind> = new Set<ConceptKind>(['reading', 'viewing']);
const SUBJECTS: ReadonlySet<ConceptKind> = new Set<ConceptKind>(['thing', 'peculiar', 'specific', 'answering']);
