import { type ConceptHit, type ConceptKind, findConcepts, isAction, kindOf } from './concepts.ts';
import { type DateSpan, readTemporals, type Temporals } from './read-dates.ts';
import { type Entity, readEntities } from './read-entities.ts';
import { type NumberSpan, readNumbers } from './read-numbers.ts';
import { detectLanguage, firstTokenFrom, MAX_MESSAGE_CHARS, normalizeText, type Token, tokenize } from './tokenize.ts';
import { type Language, overlaps } from './types.ts';

/** A user's message with everything that can be told without knowing a tool. */
export type ReadMessage = {
  readonly text: string;
  /** What follows the part that is read: the end of a long body, which only running text and quotes take in. */
  readonly tail: string;
  readonly tokens: readonly Token[];
  readonly concepts: readonly ConceptHit[];
  readonly entities: readonly Entity[];
  /** Numbers outside dates, times and identifiers. */
  readonly numbers: readonly NumberSpan[];
  /** Things to be done that the message names where a verb stands. */
  readonly actions: readonly ConceptHit[];
  readonly language: Language | undefined;
  readonly now: Temporal.ZonedDateTime;
  /** Dates and durations; `past` reads `on Friday` as the last one. */
  readonly temporals: (past: boolean) => Temporals;
};

/** Reads a message once; every later step works on this. */
export function readMessage(raw: string, now: Temporal.ZonedDateTime): ReadMessage {
  const whole = normalizeText(raw);
  const text = whole.slice(0, MAX_MESSAGE_CHARS);
  const tail = whole.slice(MAX_MESSAGE_CHARS);
  const tokens = tokenize(text);
  const entities = readEntities(text, tail);
  const concepts = findConcepts(tokens);
  const allNumbers = readNumbers(text, entities);
  const cache = new Map<boolean, Temporals>();
  const temporals = (past: boolean): Temporals => {
    const known = cache.get(past) ?? readTemporals(text, allNumbers, entities, now, past);
    cache.set(past, known);
    return known;
  };
  const inDate = (number: NumberSpan, dates: readonly DateSpan[]): boolean =>
    dates.some((date) => overlaps(date, number.digits));
  return {
    text,
    tail,
    tokens,
    entities,
    now,
    temporals,
    concepts,
    actions: findActions(tokens, concepts, entities),
    numbers: allNumbers.filter((number) => !inDate(number, temporals(false).dates)),
    language: detectLanguage(text),
  };
}

/** Actions outside quotations; an English one counts at the start, after a comma, or after a word that a verb follows. */
function findActions(
  tokens: readonly Token[],
  concepts: readonly ConceptHit[],
  entities: readonly Entity[],
): ConceptHit[] {
  return concepts.filter((hit) => {
    if (
      !isAction(hit.concept) ||
      READING_KINDS.has(kindOf(hit.concept)) ||
      entities.some((entity) => overlaps(entity, hit))
    )
      return false;
    const at = firstTokenFrom(tokens, hit.start);
    const before = tokens[at - 1];
    // 我买的那只股票 tells which one, not what to do.
    if (tokens[at]?.kind === 'cjk') return tokens.find((token) => token.start === hit.end)?.text !== '的';
    return before === undefined || before.kind === 'mark' || BEFORE_VERBS.has(before.lower);
  });
}

const READING_KINDS: ReadonlySet<ConceptKind> = new Set<ConceptKind>(['reading', 'viewing']);
const BEFORE_VERBS: ReadonlySet<string> = new Set(
  'please to you and or then just can could me also i we need want kindly hi hello hey be get been let us would should must gets got now don’t cannot help they it'.split(
    ' ',
  ),
);
