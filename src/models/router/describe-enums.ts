import { findConcepts } from './concepts.ts';
import { isStopWord } from './stop-words.ts';
import { splitIdentifier, stem, tokenize } from './tokenize.ts';
import type { JsonSchema } from './types.ts';

/** One allowed value with the ways a message can name it. */
export type EnumOption = {
  readonly value: unknown;
  /** Sequences of stems; the value itself, its title and the words its description puts beside it. */
  readonly phrases: readonly (readonly string[])[];
  /** Words of its description that no other value's has: they hint at it. */
  readonly hints: ReadonlySet<string>;
  /** Concepts the value or its gloss names as a whole. */
  readonly concepts: ReadonlySet<number>;
};

/** Longer lists of values are cut: naming one of them all by a word is not what a message does. */
const MAX_OPTIONS = 300;
const SENTENCE_END = /。|\.(?=\s|$)/;
const GLOSS_SPLIT = /[,，、;；/()（）=＝:：→|"“”'$€£¥]|->|\bor\b|\band\b|\bsuch as\b|或者?|即|表示/i;
const HAN_BEFORE_PARENTHESIS = /(\p{Script=Han}{1,10})\s*[(（]\s*$/u;

/**
 * The values of an `enum`, or of a `oneOf`/`anyOf` of `const`s, with their names in words: from `enumNames`, `x-enumDescriptions`,
 * titles, and glosses in the parameter's description such as `low 低, high 高` or `病假(sick)`.
 */
export function readEnumOptions(schema: JsonSchema, description: string): EnumOption[] {
  const branches = [schema['oneOf'], schema['anyOf']].find(
    (list) => Array.isArray(list) && list.every((item) => isObject(item) && isSayable(item['const'])),
  );
  if (Array.isArray(branches))
    return withoutShared(
      branches.slice(0, MAX_OPTIONS).map((branch) => option(branch['const'], [branch['title'], branch['description']])),
    );
  const values = Array.isArray(schema['enum']) ? schema['enum'].filter(isSayable).slice(0, MAX_OPTIONS) : [];
  const names = [
    schema['enumNames'],
    schema['x-enumNames'],
    schema['x-enumDescriptions'],
    schema['enumDescriptions'],
    schema['x-enum-varnames'],
  ];
  const texts = values.map(String);
  const options = values.map((value: unknown, index) => {
    const given = names.map((list) =>
      Array.isArray(list) ? list[index] : isObject(list) ? list[String(value)] : undefined,
    );
    return option(value, [...given, ...glosses(String(value), description, texts)]);
  });
  return withoutShared(options);
}

/** A value that a message can name: no object, of which there may not even be a text. */
function isSayable(value: unknown): boolean {
  return value !== null && value !== undefined && typeof value !== 'object';
}

function option(value: unknown, names: readonly unknown[]): EnumOption {
  const own = splitIdentifier(String(value));
  const given = names.filter((name): name is string => typeof name === 'string' && name.trim() !== '');
  const pieces = given
    .flatMap((name) => name.split(GLOSS_SPLIT))
    .flatMap((piece) => piece.match(/\p{Script=Han}+|[^\p{Script=Han}]+/gu) ?? []);
  const spoken = pieces.map((piece) => stemsOf(piece.replace(/(?<=\p{Script=Han})[了的]$/u, '')));
  const phrases = [own.map(stem), stemsOf(String(value)), ...spoken].filter((phrase) => phrase.length > 0);
  const concepts = new Set<number>();
  for (const name of [own.join(' '), ...pieces.map((piece) => piece.trim())]) {
    const tokens = tokenize(name);
    const end = tokens.at(-1)?.end ?? 0;
    for (const hit of findConcepts(tokens)) if (hit.start === 0 && hit.end === end) concepts.add(hit.concept);
  }
  const words = spoken.flat().filter((word) => word.length > 1 && !isStopWord(word));
  return { value, phrases: unique(phrases), hints: new Set(words), concepts };
}

function stemsOf(text: string): string[] {
  return tokenize(text)
    .filter((token) => token.kind !== 'mark')
    .map((token) => token.stem);
}

/** A hint or concept that two values share tells nothing. */
function withoutShared(options: readonly EnumOption[]): EnumOption[] {
  const alone = <T>(of: (option: EnumOption) => ReadonlySet<T>, own: EnumOption): ReadonlySet<T> =>
    new Set([...of(own)].filter((item) => !options.some((other) => other !== own && of(other).has(item))));
  return options.map((own) => ({
    ...own,
    hints: alone((other) => other.hints, own),
    concepts: alone((other) => other.concepts, own),
  }));
}

/** What a description writes beside a value, up to the next value or the end of the sentence; or the Chinese right before it in parentheses. */
function glosses(value: string, description: string, values: readonly string[]): string[] {
  const at = findWord(description, value);
  if (value === '' || at < 0) return [];
  const tail = description.slice(at + value.length, at + value.length + 160);
  const next = values
    .filter((other) => other !== value)
    .map((other) => findWord(tail, other))
    .filter((start) => start >= 0);
  const segment = tail.slice(0, Math.min(tail.length, ...next));
  const end = SENTENCE_END.exec(segment)?.index ?? segment.length;
  const before = HAN_BEFORE_PARENTHESIS.exec(description.slice(Math.max(0, at - 12), at))?.[1];
  return [before === undefined ? segment.slice(0, end) : before];
}

/** Where a value stands as a word of its own, in any case; -1 where it does not. */
function findWord(text: string, word: string): number {
  const lower = text.toLowerCase();
  const wanted = word.toLowerCase();
  for (let at = lower.indexOf(wanted); at >= 0 && wanted !== ''; at = lower.indexOf(wanted, at + 1)) {
    if (!/[a-z0-9_]/.test(lower.charAt(at - 1)) && !/[a-z0-9_]/.test(lower.charAt(at + wanted.length))) return at;
  }
  return -1;
}

function unique(phrases: readonly (readonly string[])[]): (readonly string[])[] {
  return [...new Map(phrases.map((phrase) => [phrase.join(' '), phrase])).values()];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
