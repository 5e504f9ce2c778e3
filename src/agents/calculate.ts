/**
 * The value of an arithmetic expression: numbers, + - * / % ^ (right-associative), parentheses, unary signs, pi, e, and
 * abs ceil floor round sqrt exp ln log10 sin cos tan min max. Precedence climbing (Richards 1979) over one pass of the text:
 * time grows linearly with its length. Throws RangeError with the place of a mistake, or when the result is not finite.
 */
export function calculate(expression: string): number {
  if (expression.length > 2_000) throw new RangeError('The expression is longer than 2000 characters.');
  const parser = new Parser(expression);
  const value = parser.sum(0);
  parser.end();
  if (!Number.isFinite(value)) throw new RangeError('The result is not a finite number.');
  return value;
}

const constants: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E };

const functions: Readonly<Record<string, (...args: number[]) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  round: Math.round,
  sqrt: Math.sqrt,
  exp: Math.exp,
  ln: Math.log,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  min: Math.min,
  max: Math.max,
};

class Parser {
  readonly #text: string;
  readonly #token = /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([a-zA-Z][a-zA-Z0-9]*)|(.))/suy;
  #at = 0;
  #number: string | undefined;
  #word: string | undefined;
  #sign: string | undefined;

  constructor(text: string) {
    this.#text = text.trimEnd();
    this.#next();
  }

  sum(depth: number): number {
    let value = this.#product(depth);
    for (;;) {
      if (this.#take('+')) value += this.#product(depth);
      else if (this.#take('-')) value -= this.#product(depth);
      else return value;
    }
  }

  end(): void {
    if (this.#number ?? this.#word ?? this.#sign) this.#fail();
  }

  #product(depth: number): number {
    let value = this.#unary(depth);
    for (;;) {
      if (this.#take('*')) value *= this.#unary(depth);
      else if (this.#take('/')) value /= this.#unary(depth);
      else if (this.#take('%')) value %= this.#unary(depth);
      else return value;
    }
  }

  #unary(depth: number): number {
    if (depth > 100) throw new RangeError('The expression is nested deeper than 100.');
    if (this.#take('-')) return -this.#unary(depth + 1);
    if (this.#take('+')) return this.#unary(depth + 1);
    const base = this.#atom(depth);
    return this.#take('^') ? base ** this.#unary(depth + 1) : base;
  }

  #atom(depth: number): number {
    if (this.#number !== undefined) {
      const value = Number(this.#number);
      this.#next();
      return value;
    }
    if (this.#take('(')) {
      const value = this.sum(depth + 1);
      if (!this.#take(')')) this.#fail();
      return value;
    }
    const word = this.#word?.toLowerCase();
    if (word !== undefined && Object.hasOwn(constants, word)) {
      this.#next();
      return constants[word] as number;
    }
    if (word === undefined || !Object.hasOwn(functions, word)) return this.#fail();
    this.#next();
    if (!this.#take('(')) this.#fail();
    const args = [this.sum(depth + 1)];
    while (this.#take(',')) args.push(this.sum(depth + 1));
    if (!this.#take(')')) this.#fail();
    if (args.length > 1 && word !== 'min' && word !== 'max') throw new RangeError(`${word} takes one number.`);
    return (functions[word] as (...args: number[]) => number)(...args);
  }

  #take(sign: string): boolean {
    if (this.#sign !== sign) return false;
    this.#next();
    return true;
  }

  #next(): void {
    this.#at = this.#token.lastIndex;
    const match = this.#token.exec(this.#text);
    [this.#number, this.#word, this.#sign] = [match?.[1], match?.[2], match?.[3]];
  }

  #fail(): never {
    const rest = this.#text.slice(this.#at).trim();
    throw new RangeError(
      rest === ''
        ? 'The expression ends too early.'
        : `At character ${this.#at + 1}: "${rest.slice(0, 20)}" is not expected.`,
    );
  }
}
