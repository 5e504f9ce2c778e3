/** Tells whether a whole text matches a pattern. */
export type PatternMatcher = (text: string) => boolean;

type Test = (char: string) => boolean;
type Node =
  | { readonly kind: 'char'; readonly test: Test }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly items: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly min: number; readonly max: number };
type State = { readonly test?: Test; readonly next: number[] };

/** Longer patterns, more states or longer texts are not worth the time: the pattern then says nothing. */
const MAX_PATTERN_CHARS = 200;
const MAX_STATES = 600;
const MAX_TEXT_CHARS = 200;

class Unsupported extends Error {}

/**
 * Compiles a tenant's JSON Schema `pattern` into a matcher that runs in time linear in the text (the state-set simulation of
 * K. Thompson, "Regular expression search algorithm", 1968), never as a backtracking RegExp. Covers literals, classes,
 * groups, choices and repeats between `^` and `$`; for anything else (look-around, back-references) and for patterns without
 * both anchors the answer is `undefined`, and the caller ignores the pattern.
 */
export function compilePattern(pattern: string): PatternMatcher | undefined {
  if (
    pattern.length > MAX_PATTERN_CHARS ||
    !pattern.startsWith('^') ||
    !pattern.endsWith('$') ||
    pattern.endsWith('\\$')
  )
    return undefined;
  try {
    const parser = new PatternParser(pattern.slice(1, -1));
    const states: State[] = [];
    const end = states.push({ next: [] }) - 1;
    const start = build(parser.parse(), end, states);
    return (text) => text.length <= MAX_TEXT_CHARS && simulate(states, start, end, text);
  } catch (error) {
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
}

class PatternParser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw new Unsupported();
    return node;
  }

  #choice(): Node {
    const items = [this.#sequence()];
    while (this.#take('|')) items.push(this.#sequence());
    return items.length === 1 ? (items[0] as Node) : { kind: 'choice', items };
  }

  #sequence(): Node {
    const items: Node[] = [];
    while (this.#at < this.#source.length && this.#peek() !== '|' && this.#peek() !== ')') items.push(this.#repeat());
    return { kind: 'sequence', items };
  }

  #repeat(): Node {
    const item = this.#atom();
    let bounds: [number, number] | undefined;
    if (this.#take('*')) bounds = [0, Number.POSITIVE_INFINITY];
    else if (this.#take('+')) bounds = [1, Number.POSITIVE_INFINITY];
    else if (this.#take('?')) bounds = [0, 1];
    else {
      const braces = /^\{(\d{1,3})(?:(,)(\d{1,3})?)?\}/.exec(this.#source.slice(this.#at, this.#at + 10));
      if (braces === null) return item;
      this.#at += braces[0].length;
      const min = Number(braces[1]);
      bounds = [
        min,
        braces[3] !== undefined ? Number(braces[3]) : braces[2] === undefined ? min : Number.POSITIVE_INFINITY,
      ];
    }
    this.#take('?');
    return { kind: 'repeat', item, min: bounds[0], max: bounds[1] };
  }

  #atom(): Node {
    const char = this.#next();
    if (char === '(') {
      if (this.#take('?') && !this.#take(':')) throw new Unsupported();
      const inner = this.#choice();
      if (!this.#take(')')) throw new Unsupported();
      return inner;
    }
    if (char === '[') return { kind: 'char', test: this.#class() };
    if (char === '.') return { kind: 'char', test: (c) => c !== '\n' };
    if (char === '\\') return { kind: 'char', test: escapeTest(this.#next()) };
    if ('^$*+?{'.includes(char)) throw new Unsupported();
    return { kind: 'char', test: (c) => c === char };
  }

  #class(): Test {
    const negated = this.#take('^');
    const tests: Test[] = [];
    while (!this.#take(']')) {
      const from = this.#next();
      if (from === '\\') {
        tests.push(escapeTest(this.#next()));
      } else if (this.#peek() === '-' && this.#source.charAt(this.#at + 1) !== ']') {
        this.#at++;
        const to = this.#next();
        if (to === '\\') throw new Unsupported();
        tests.push((c) => c >= from && c <= to);
      } else tests.push((c) => c === from);
    }
    return (c) => tests.some((test) => test(c)) !== negated;
  }

  #peek(): string {
    return this.#source.charAt(this.#at);
  }

  #next(): string {
    if (this.#at >= this.#source.length) throw new Unsupported();
    return this.#source.charAt(this.#at++);
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }
}

function escapeTest(char: string): Test {
  if (char === 'd') return (c) => c >= '0' && c <= '9';
  if (char === 'w') return (c) => /[A-Za-z0-9_]/.test(c);
  if (char === 's') return (c) => /\s/.test(c);
  if (char === 'D') return (c) => !(c >= '0' && c <= '9');
  if (/[A-Za-z0-9]/.test(char)) throw new Unsupported();
  return (c) => c === char;
}

/** Adds the states of a node that go on to `after`; returns the state it starts in. */
function build(node: Node, after: number, states: State[]): number {
  if (states.length > MAX_STATES) throw new Unsupported();
  // Every leaf costs a state, so that nested repeats of nothing meet the limit too.
  const empty = node.kind === 'sequence' ? node.items.length === 0 : node.kind === 'repeat' && node.max === 0;
  if (empty) return states.push({ next: [after] }) - 1;
  if (node.kind === 'char') return states.push({ test: node.test, next: [after] }) - 1;
  if (node.kind === 'sequence') return node.items.reduceRight((next, item) => build(item, next, states), after);
  if (node.kind === 'choice') return states.push({ next: node.items.map((item) => build(item, after, states)) }) - 1;
  let start = after;
  if (node.max === Number.POSITIVE_INFINITY) {
    const loop = states.push({ next: [after] }) - 1;
    states[loop]?.next.push(build(node.item, loop, states));
    start = loop;
  } else
    for (let i = node.min; i < node.max; i++)
      start = states.push({ next: [after, build(node.item, start, states)] }) - 1;
  for (let i = 0; i < node.min; i++) start = build(node.item, start, states);
  return start;
}

function simulate(states: readonly State[], start: number, end: number, text: string): boolean {
  let current = close(states, [start]);
  for (const char of text) {
    const reached: number[] = [];
    for (const id of current) {
      const state = states[id];
      if (state?.test?.(char)) reached.push(...state.next);
    }
    if (reached.length === 0) return false;
    current = close(states, reached);
  }
  return current.has(end);
}

/** The states reachable from `from` without reading a character. */
function close(states: readonly State[], from: readonly number[]): Set<number> {
  const seen = new Set(from);
  for (const id of seen) {
    const state = states[id];
    if (state !== undefined && state.test === undefined) for (const next of state.next) seen.add(next);
  }
  return seen;
}
