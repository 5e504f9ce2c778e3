import { type EnumOption, readEnumOptions } from './describe-enums.ts';
import { compilePattern, type PatternMatcher } from './match-pattern.ts';
import { asObject, resolve, text, typeOf } from './read-schema.ts';
import { type Unit, unitOfWord } from './read-units.ts';
import { type Role, roleOf, type Side, sideOf } from './slot-roles.ts';
import { isStopWord } from './stop-words.ts';
import { splitIdentifier, stem, tokenize } from './tokenize.ts';
import type { JsonSchema } from './types.ts';

/** The form of value a parameter takes, from its JSON Schema type, format, name and description. */
export type SlotForm =
  | 'text'
  | 'number'
  | 'integer'
  | 'boolean'
  | 'enum'
  | 'date'
  | 'date-time'
  | 'time'
  | 'month'
  | 'duration'
  | 'email'
  | 'url'
  | 'uuid'
  | 'phone'
  | 'code'
  | 'currency'
  | 'timezone'
  | 'expression'
  | 'opaque';

/** One value a tool wants: a leaf of its JSON Schema, with what tells it apart in a message. */
export type Slot = {
  readonly path: readonly string[];
  /** The path with dots, as it is named in questions. */
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** True where an optional object wants this once it has any part. */
  readonly requiredInGroup: boolean;
  readonly form: SlotForm;
  /** True for an array of values of the form. */
  readonly list: boolean;
  readonly role: Role;
  /** Which end of a pair it is: start and end, from and to, minimum and maximum. */
  readonly side: Side | undefined;
  /** Stems of the name's words. */
  readonly nameWords: ReadonlySet<string>;
  /** Stems of the description's content words. */
  readonly hintWords: ReadonlySet<string>;
  /** Words that tell this slot from the tool's others of its kind: 1 from the name, less from the description. */
  readonly cueWords: ReadonlyMap<string, number>;
  /** The same with the words that the tool itself has too: they name the slot where a value stands right beside them. */
  readonly labelWords: ReadonlySet<string>;
  readonly units: ReadonlySet<Unit>;
  readonly options: readonly EnumOption[];
  readonly pattern: PatternMatcher | undefined;
  /** The value a description gives as an example (`e.g. ORD-10001`), which shows the shape of the others. */
  readonly example: string | undefined;
  readonly minimum: number;
  readonly maximum: number;
  readonly maxLength: number;
  readonly fallback: { readonly value: unknown } | undefined;
};

/** A tool's schema deeper or wider than this is not filled: tenants write it, and a message names few things. */
const MAX_DEPTH = 4;
const MAX_SLOTS = 60;
const MAX_NODES = 400;
const MAX_DESCRIPTION_CHARS = 1_000;

/** The leaves of a tool's input schema as declared; `toolWords` are the stems of the tool's own text, which tell no slot apart; local `$ref`s are followed, other references are opaque. */
export function describeSlots(schema: JsonSchema, toolWords: ReadonlySet<string>): Slot[] {
  const slots: Slot[] = [];
  walk({ root: schema, slots, nodes: 0 }, schema, [], true, 0);
  return slots.slice(0, MAX_SLOTS).map((slot) => ({
    ...slot,
    cueWords: cueWordsOf(slot, slots, toolWords),
    labelWords: new Set(cueWordsOf(slot, slots, new Set()).keys()),
  }));
}

function cueWordsOf(slot: Slot, slots: readonly Slot[], toolWords: ReadonlySet<string>): Map<string, number> {
  const rivals = slots.filter((other) => other !== slot && KINDS[other.form] === KINDS[slot.form]);
  const alone = (word: string): boolean =>
    !rivals.some((other) => other.nameWords.has(word) || other.hintWords.has(word));
  const words = new Map<string, number>();
  for (const word of slot.hintWords)
    if (alone(word) && !toolWords.has(word) && !/^\p{Script=Han}$/u.test(word)) words.set(word, 0.6);
  for (const word of slot.nameWords) if (alone(word)) words.set(word, 1);
  return words;
}

type Walk = { readonly root: JsonSchema; readonly slots: Slot[]; nodes: number };

/** Nodes are counted, since a schema that refers to itself in many places has exponentially many. */
function walk(state: Walk, schema: JsonSchema, path: readonly string[], required: boolean, depth: number): void {
  const properties = asObject(schema['properties']);
  const names = Array.isArray(schema['required']) ? schema['required'] : [];
  for (const [name, raw] of Object.entries(properties ?? {})) {
    if (depth > MAX_DEPTH || state.slots.length >= MAX_SLOTS || state.nodes++ >= MAX_NODES) return;
    const property = resolve(asObject(raw) ?? {}, state.root);
    const here = [...path, name];
    const needed = required && names.includes(name);
    if (typeOf(property) === 'object' && asObject(property['properties']) !== undefined)
      walk(state, property, here, needed, depth + 1);
    else state.slots.push(describe(property, state.root, here, needed, path.length > 0 && names.includes(name)));
  }
}

function describe(
  schema: JsonSchema,
  root: JsonSchema,
  path: readonly string[],
  required: boolean,
  requiredInGroup: boolean,
): Slot {
  const list = typeOf(schema) === 'array';
  const items = list ? resolve(asObject(schema['items']) ?? {}, root) : schema;
  const description = [text(schema['title']), text(schema['description']), list ? text(items['description']) : '']
    .filter((part) => part !== '')
    .join(' ')
    .slice(0, MAX_DESCRIPTION_CHARS);
  const words = splitIdentifier(path.at(-1) ?? '');
  const hints = tokenize(description.slice(0, 400)).filter(
    (token) => token.kind !== 'mark' && token.kind !== 'number' && !isStopWord(token.lower),
  );
  const options = readEnumOptions(items, description);
  const nameWords = new Set(words.map(stem));
  const form = formOf(items, words, description, options);
  const fallback =
    'const' in schema ? { value: schema['const'] } : 'default' in schema ? { value: schema['default'] } : undefined;
  return {
    path,
    name: path.join('.'),
    description: text(schema['description']) || text(schema['title']),
    required,
    requiredInGroup,
    form,
    list,
    role: roleOf(words, description),
    side: sideOf(words, description),
    nameWords,
    hintWords: new Set(hints.map((token) => token.stem)),
    cueWords: new Map(),
    labelWords: new Set(),
    units: unitsOf(
      words,
      hints.map((token) => token.lower),
    ),
    options,
    pattern: typeof items['pattern'] === 'string' ? compilePattern(items['pattern']) : undefined,
    example: exampleOf(description),
    minimum: bound(items, 'minimum', 'exclusiveMinimum', Number.NEGATIVE_INFINITY),
    maximum: bound(items, 'maximum', 'exclusiveMaximum', Number.POSITIVE_INFINITY),
    maxLength: typeof items['maxLength'] === 'number' ? items['maxLength'] : Number.POSITIVE_INFINITY,
    fallback: options.length === 1 && required ? { value: options[0]?.value } : fallback,
  };
}

function formOf(
  schema: JsonSchema,
  words: readonly string[],
  description: string,
  options: readonly EnumOption[],
): SlotForm {
  const type = typeOf(schema);
  if (options.length > 0) return 'enum';
  if (type === 'number' || type === 'integer' || type === 'boolean') return type;
  if (type !== 'string' && type !== undefined) return 'opaque';
  const format = FORMATS[text(schema['format'])];
  if (format !== undefined) return format;
  const last = words.at(-1) ?? '';
  const has = (...names: string[]): boolean => names.some((name) => words.includes(name));
  if (/YYYY-MM(?!-)/i.test(description)) return 'month';
  if (
    /YYYY-MM-DD[T ]+HH|ISO ?8601 (?:date-?time|timestamp)|RFC ?3339/i.test(description) ||
    has('datetime', 'timestamp')
  )
    return 'date-time';
  if (/HH:mm/i.test(description)) return 'time';
  if (/YYYY-MM-DD/i.test(description) || last === 'date' || last === 'deadline' || (has('due') && last !== 'time'))
    return 'date';
  if (has('email', 'mail') && !has('subject', 'body', 'content', 'template')) return 'email';
  if (has('url', 'uri', 'link', 'website')) return 'url';
  if (has('phone', 'mobile', 'telephone', 'tel')) return 'phone';
  if (has('timezone', 'tz') || (has('time') && has('zone'))) return 'timezone';
  if (has('currency') || /\bISO ?4217\b|currency code|货币代码|币种/i.test(description)) return 'currency';
  if (has('expression', 'formula') || /算式|表达式/.test(description)) return 'expression';
  if (typeof schema['pattern'] === 'string' && compilePattern(schema['pattern']) !== undefined) return 'code';
  if (
    ['id', 'no', 'sku', 'ref', 'reference'].includes(last) ||
    (last === 'number' && !has('phone')) ||
    (last === 'code' && !has('country', 'language', 'dress'))
  )
    return 'code';
  return exampleOf(description) === undefined ? 'text' : 'code';
}

/** Slots of one kind compete for the same parts of a message. */
const KINDS: { readonly [form in SlotForm]: string } = {
  text: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  enum: 'enum',
  date: 'time',
  'date-time': 'time',
  time: 'time',
  month: 'time',
  duration: 'number',
  email: 'address',
  url: 'url',
  uuid: 'code',
  phone: 'code',
  code: 'code',
  currency: 'currency',
  timezone: 'zone',
  expression: 'expression',
  opaque: 'opaque',
};

const EXAMPLE =
  /(?:e\.g\.|for example|for instance|such as|example|如|例如|比如|示例)[:：,]?\s*['"`“]?([A-Za-z0-9][\w-]{1,30})/i;

const FORMATS: { readonly [format: string]: SlotForm } = {
  date: 'date',
  'date-time': 'date-time',
  time: 'time',
  duration: 'duration',
  email: 'email',
  'idn-email': 'email',
  uri: 'url',
  url: 'url',
  uuid: 'uuid',
  'uri-reference': 'url',
  phone: 'phone',
};

/** The units a number for this parameter is given in: from its name, or else from the first unit of its description. */
function unitsOf(words: readonly string[], hints: readonly string[]): ReadonlySet<Unit> {
  const named = words.map(unitOfWord).filter((unit) => unit !== undefined);
  const hinted = hints.map(unitOfWord).filter((unit) => unit !== undefined);
  const units = new Set<Unit>(named.length > 0 ? named : hinted);
  const money = /^(?:amount|price|cost|budget|salary|fee|total|fare|revenue|deposit|rent)$/;
  if (
    words.some((word) => money.test(word)) ||
    hints.some((hint) => /^(?:金额|价格|预算|费用|薪资|工资|money|price|currency)$/.test(hint))
  )
    units.add('money');
  if (
    words.some((word) => /^(?:percent|percentage|rate|discount)$/.test(word)) ||
    hints.some((hint) => /^(?:百分比|折扣|percentage|percent)$/.test(hint))
  )
    units.add('percent');
  if (words.some((word) => /^(?:quantity|qty|count|copies|limit)$/.test(word)) || hints.includes('数量'))
    units.add('item');
  if (words.some((word) => /^(?:temperature|temp)$/.test(word)) || hints.includes('温度')) units.add('degree');
  return units;
}

/** An identifier given as an example: with digits, an underscore, or all in capitals. */
function exampleOf(description: string): string | undefined {
  const word = EXAMPLE.exec(description)?.[1];
  return word !== undefined && (/\d|_/.test(word) || /^[A-Z]{2,}$/.test(word)) ? word : undefined;
}

function bound(schema: JsonSchema, inclusive: string, exclusive: string, otherwise: number): number {
  const value = schema[inclusive] ?? schema[exclusive];
  return typeof value === 'number' ? value : otherwise;
}
