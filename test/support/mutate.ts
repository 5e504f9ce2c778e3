import type { Spec } from '#test/recipes';

/** Numbers from a seed: the same for the same seed (mulberry32, Tommy Ettinger). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 up to `below`. */
  under(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** One of a list. */
  of<T>(list: readonly T[]): T {
    return list[this.under(list.length)] as T;
  }

  /** True so often. */
  chance(share: number): boolean {
    return this.next() < share;
  }
}

type Json = Record<string, unknown>;

/** A mutated request as it goes over the wire. `path` is encoded; `body` may be no JSON at all. */
export type Wire = { path: string; body: Buffer | undefined; headers: Record<string, string> };

/** A request and what is known of its shape. */
export type Target = {
  path: string;
  spec: Spec;
  schema: { query?: unknown; body?: unknown };
  /** Ids of things that are there, for putting in wrong places. */
  ids: readonly string[];
  /** Only odd headers and stray query members. */
  mild?: boolean;
};

const texts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  'a\udfffb',
  '\u202eabc',
  'e\u0301\u0301\u0301',
  '👩‍👩‍👧‍👦'.repeat(20),
  '\ufeff',
  '\r\nx: y',
  '"\'\\`;--',
  "'; DROP TABLE tenants; --",
  '{{7*7}}$'.concat('{7*7}<%=7%>'),
  '../../etc/passwd',
  '%00%0a%2f',
  '__proto__',
  'constructor',
  'null',
  '-0',
  '1e400',
  'NaN',
  '9'.repeat(400),
  '0'.repeat(60),
  '0.0000000000000000000000001',
  '2026-02-30T00:00:00Z',
  '9999-12-31T23:59:60Z',
  '+275760-09-13T00:00:00Z',
  '-271821-04-20T00:00:00Z',
  '2026-13-01',
  '2026-11-22T10:00:00[Europe/Berlin]',
  'Antarctica/Troll',
  'http://[::1]:1/',
  'http://169.254.169.254/latest',
  'x'.repeat(300),
  'ä'.repeat(70_000),
  'https://example.com:99999/',
  'lt_live_00000000000000000000000000000000000000000000000',
];

const values: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  1e-300,
  [],
  {},
  [[]],
  [null],
  { a: { b: { c: [] } } },
  { toString: 1, length: -1 },
];

const cursors = [
  '',
  'AAAA',
  '!!!',
  'bnVsbA',
  'W10',
  'WzFd',
  'e30',
  'WyIiXQ',
  'WyJhIiwiYiJd',
  'WyIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiXQ',
];

const headerChoices: readonly (readonly [string, readonly string[]])[] = [
  ['idempotency-key', ['', ' ', 'x', 'k'.repeat(255), 'k'.repeat(256), 'ü', '\u00ff\u00fe', '"quoted"', '{}']],
  ['last-event-id', ['', '0', '-1', '1', '999999999999999', '1e9', 'abc', '0x10', '١٢٣'.slice(0, 0), '  7 ']],
  [
    'content-type',
    [
      'text/plain',
      'application/json; charset=utf-16',
      'application/xml',
      'multipart/form-data',
      'application/x-www-form-urlencoded',
      'application/json;;;',
      '',
      'application/JSON',
      'application/json, text/plain',
    ],
  ],
  ['accept', ['text/html', 'image/*;q=0', '*', 'application/problem+json']],
  ['accept-language', ['zh-CN', 'xx', ',,,', 'zh;q=9', 'z'.repeat(3_000)]],
  ['accept-encoding', ['gzip', 'br;q=1', 'identity;q=0']],
  ['content-encoding', ['gzip', 'identity', 'x']],
  ['origin', ['null', 'http://evil.example', 'file://', 'http://127.0.0.1:1']],
  ['if-match', ['*', '"x"', 'W/"1"', '']],
  ['if-none-match', ['*', '"x"']],
  ['range', ['bytes=0-0', 'bytes=-1']],
  ['user-agent', ['', 'x'.repeat(5_000), 'ÿÿÿ', '<script>']],
  ['x-request-id', ['1', '../..', 'x'.repeat(2_000)]],
  ['traceparent', ['00-0-0-0', '00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01', 'x']],
  ['x-forwarded-for', ['::1', '999.1.1.1', 'x', '1.2.3.4, 5.6.7.8', '']],
  ['x-forwarded-proto', ['https', 'gopher']],
  ['x-forwarded-host', ['evil.example', '']],
  ['cookie', ['lintel=', 'lintel=x; lintel=y', ';;;=', '__Host-lintel=x', 'a'.repeat(4_000)]],
  ['expect', ['nothing']],
  ['host', ['evil.example', 'localhost:1', '[::1]']],
];

/** A place in a JSON value: how to read and replace what stands there. */
type Spot = { holder: Json | unknown[]; name: string; schema: Json | undefined };

function spotsOf(value: unknown, schema: Json | undefined): Spot[] {
  const found: Spot[] = [];
  const visit = (holder: unknown, shape: Json | undefined): void => {
    if (holder === null || typeof holder !== 'object') return;
    for (const name of Object.keys(holder)) {
      const inner = schemaOf(shape, name);
      found.push({ holder: holder as Json, name, schema: inner });
      visit((holder as Json)[name], inner);
    }
  };
  visit(value, schema);
  return found;
}

function schemaOf(schema: Json | undefined, name: string): Json | undefined {
  const options =
    ((schema?.['anyOf'] ?? schema?.['oneOf']) as Json[] | undefined) ?? (schema === undefined ? [] : [schema]);
  for (const option of options) {
    const member = (option['properties'] as Json | undefined)?.[name] ?? option['items'];
    if (member !== undefined) return member as Json;
  }
  return undefined;
}

/** A value of a schema's kind, at or just over one of its bounds. */
function atBounds(dice: Dice, schema: Json | undefined): unknown {
  const options = (schema?.['anyOf'] ?? schema?.['oneOf']) as Json[] | undefined;
  if (options !== undefined) return atBounds(dice, dice.of(options));
  const number = (name: string) => schema?.[name] as number | undefined;
  if (Array.isArray(schema?.['enum'])) return dice.of([...(schema['enum'] as unknown[]), 'other']);
  if (schema !== undefined && 'const' in schema) return dice.of([schema['const'], 'other']);
  switch (schema?.['type']) {
    case 'integer':
    case 'number': {
      const [min, max] = [number('minimum') ?? -(2 ** 31), number('maximum') ?? 2 ** 53];
      return dice.of([min, max, min - 1, max + 1, (min + max) / 2, Math.trunc(min + dice.next() * (max - min))]);
    }
    case 'string': {
      const [min, max] = [number('minLength') ?? 0, number('maxLength') ?? 2_000];
      const letter = dice.of(['x', 'ß', '門', '😀', ' ', '0', '\u0301']);
      const length = dice.of([min, max, max + 1, Math.max(0, min - 1), Math.min(max, 37)]);
      return schema['format'] === 'date-time'
        ? dice.of([
            '2026-11-22T00:00:00Z',
            '0001-01-01T00:00:00Z',
            '9999-12-31T23:59:59Z',
            '2026-11-22T00:00:00+14:00',
            '1582-10-10T00:00:00Z',
            '2016-12-31T23:59:60Z',
          ])
        : letter.repeat(length).slice(0, length);
    }
    case 'boolean':
      return dice.chance(0.5);
    case 'array':
      return dice.of([
        [],
        Array.from({ length: Math.min(3_000, (number('maxItems') ?? 10) + dice.under(2)) }, () =>
          atBounds(dice, schema['items'] as Json),
        ),
      ]);
    case 'object': {
      const made: Json = {};
      for (const [name, member] of Object.entries((schema['properties'] ?? {}) as Json))
        if (dice.chance(0.6)) made[name] = atBounds(dice, member as Json);
      return made;
    }
    default:
      return structuredClone(dice.of(values));
  }
}

function nested(depth: number, open: string, close: string): string {
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

/** A request with one to three mutations that keep its shape or break it. Deterministic in the dice. */
export function mutate(dice: Dice, target: Target): Wire {
  const spec = structuredClone(target.spec);
  const headers: Record<string, string> = { ...spec.headers };
  let path = target.path;
  let raw: Buffer | undefined;
  const query: [string, string][] = Object.entries(spec.query ?? {});
  const names = Object.keys(((target.schema.query as Json | undefined)?.['properties'] ?? {}) as Json);
  const params = { ...spec.params };
  let body: unknown = spec.body;
  const rounds = 1 + (dice.chance(0.35) ? 1 : 0) + (dice.chance(0.1) ? 1 : 0);
  for (let round = 0; round < rounds; round++) {
    const all = [
      ...(target.schema.body === undefined ? [] : Array<string>(9).fill('body')),
      ...(names.length === 0 ? [] : Array<string>(4).fill('query')),
      ...(Object.keys(params).length === 0 ? [] : Array<string>(2).fill('param')),
      ...Array<string>(2).fill('header'),
      'stray',
    ];
    switch (dice.of(target.mild === true ? ['header', 'stray'] : all)) {
      case 'body':
        if (raw === undefined) [body, raw] = mutateBody(dice, body, target, headers);
        break;
      case 'query': {
        const name = dice.of(names);
        const member = schemaOf(target.schema.query as Json, name);
        const value =
          name === 'cursor'
            ? dice.of([...cursors, Buffer.from(JSON.stringify([dice.of(texts), dice.of(texts)])).toString('base64url')])
            : String(dice.chance(0.5) ? atBounds(dice, member) : dice.of([...texts, ...target.ids.slice(0, 20)]));
        if (dice.chance(0.85)) {
          const at = query.findIndex(([each]) => each === name);
          if (at >= 0) query.splice(at, 1);
        }
        query.push([name, value]);
        break;
      }
      case 'param': {
        const name = dice.of(Object.keys(params));
        const present = params[name] ?? '';
        params[name] = dice.of([
          dice.of(texts) || 'x',
          dice.of(target.ids) ?? 'x',
          present.toUpperCase(),
          `${present}x`,
          present.slice(0, -1),
          `${present.slice(0, -1)}${dice.of(['0', 'z', 'u', '\u0131'])}`,
          `${present.split('_')[0]}_zzzzzzzzzzzzzzzzzzzzzzzzzz`,
          `${present.split('_')[0]}_00000000000000000000000000`,
        ]);
        break;
      }
      case 'header': {
        const [name, options] = dice.of(headerChoices);
        headers[name] = dice.of(options);
        break;
      }
      default:
        if (dice.chance(0.5)) query.push([dice.of(['x', 'limit[]', '__proto__', 'a[b]', 'cursor']), dice.of(texts)]);
        else
          headers[dice.of(['x-odd', 'x-http-method-override', 'forwarded', 'te'])] = dice.of([
            '1',
            'DELETE',
            'for=x',
            'trailers',
          ]);
    }
  }
  path = path.replaceAll(/:([a-zA-Z]+)/g, (_, name: string) => encode(params[name] ?? 'x') || 'x');
  const search = query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  if (raw === undefined && body !== undefined) raw = Buffer.from(JSON.stringify(body));
  if (raw !== undefined) headers['content-type'] ??= 'application/json';
  return { path: search === '' ? path : `${path}?${search}`, body: raw, headers };
}

function mutateBody(
  dice: Dice,
  body: unknown,
  { schema, ids }: Target,
  headers: Record<string, string>,
): [unknown, Buffer | undefined] {
  const spots = spotsOf(body, schema.body as Json);
  const shape = schema.body as Json;
  const choice = dice.under(100);
  const spot = spots.length === 0 ? undefined : dice.of(spots);
  if (spot === undefined || choice < 4) return [atBounds(dice, shape), undefined];
  const put = (value: unknown) => {
    (spot.holder as Json)[spot.name] = value;
  };
  if (choice < 42) put(atBounds(dice, spot.schema));
  else if (choice < 58) put(dice.of(texts));
  else if (choice < 66) put(structuredClone(dice.of(values)));
  else if (choice < 72) put(dice.of(ids) ?? null);
  else if (choice < 78) delete (spot.holder as Json)[spot.name];
  else if (choice < 82)
    (spot.holder as Json)[dice.of(['extra', '__proto__x', 'tenantId', 'tenant_id', 'id', 'a.b', ''])] = structuredClone(
      dice.of(values),
    );
  else if (choice < 86) {
    // Members that the schema knows and the request leaves out.
    const members = Object.entries((shape['properties'] ?? {}) as Json);
    if (members.length > 0) {
      const [name, member] = dice.of(members);
      (body as Json)[name] = atBounds(dice, member as Json);
    }
  } else {
    const text = JSON.stringify(body);
    const cut = dice.under(text.length);
    const rawTexts: (() => Buffer)[] = [
      () => Buffer.from(text.slice(0, cut)),
      () => Buffer.from(''),
      () => Buffer.from(`\ufeff${text}`),
      () => Buffer.from(text, 'utf16le'),
      () =>
        Buffer.concat([Buffer.from(text.slice(0, cut)), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from(text.slice(cut))]),
      () => Buffer.from(text.replace('{', `{"${spot.name}": 1, `)),
      () => Buffer.from(text.replace('{', '{"__proto__": {"x": 1}, ')),
      () => Buffer.from(text.replace('{', '{"constructor": {"prototype": {}}, ')),
      () =>
        Buffer.from(
          text.replaceAll(/"([^"\\]{2,})"/g, (whole) => (dice.chance(0.3) ? `"\\ud83d${whole.slice(1)}` : whole)),
        ),
      () =>
        Buffer.from(
          text.replaceAll(/"([^"\\]{2,})"/g, (whole) => (dice.chance(0.3) ? `"\\u0000${whole.slice(1)}` : whole)),
        ),
      () => Buffer.from(nested(dice.of([50, 3_000, 100_000]), '[', ']')),
      () => Buffer.from(text.replace(/}$/, `,"extra":${nested(dice.of([50, 3_000, 20_000]), '{"a":', '}')}}`)),
      () => Buffer.from(text.replace(/:("[^"]*"|\d+)/, `:${nested(dice.of([20, 3_000]), '[', ']')}`)),
      () => Buffer.from(text.replace(/\d+/, dice.of(['1e999', '-1e999', '0.1e-400', `1${'0'.repeat(400)}`]))),
      () => Buffer.from(`${' '.repeat(100_000)}${text}`),
      () => Buffer.from(dice.of(['null', '0', '"x"', '[]', 'true', '{}', '[{}]', 'undefined', '{', '\u0000'])),
    ];
    if (dice.chance(0.1)) headers['transfer-encoding'] = 'chunked';
    return [body, dice.of(rawTexts)()];
  }
  return [body, undefined];
}

/** Percent-encoding that also knows lone surrogates (as the three bytes that UTF-8 forbids). */
function encode(text: string): string {
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    out +=
      code >= 0xd800 && code <= 0xdfff
        ? `%${(0xe0 | (code >> 12)).toString(16)}%${(0x80 | ((code >> 6) & 63)).toString(16)}%${(0x80 | (code & 63)).toString(16)}`
        : encodeURIComponent(character);
  }
  return out;
}
