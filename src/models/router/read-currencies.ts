import type { ReadMessage } from './read-message.ts';
import { currencyOfWord } from './read-units.ts';
import type { Token } from './tokenize.ts';
import { overlaps, type Span } from './types.ts';

/** A currency in the message: by its sign, ISO 4217 code or name, beside an amount or alone. */
export type CurrencySpan = Span & { readonly code: string; readonly besideNumber: boolean };

/** Currency names have at most three words (`Hong Kong dollars`). */
const MAX_WORDS = 3;

/** The currencies a message names, those beside amounts first; the longest name wins, so that `Canadian dollars` are no US dollars. */
export function readCurrencies({ numbers, tokens, text }: ReadMessage): CurrencySpan[] {
  const found: CurrencySpan[] = [];
  for (const { currency, start, end, digits } of numbers) {
    const sign = start < digits.start ? { start, end: digits.start } : { start: digits.end, end };
    if (currency !== undefined) found.push({ ...sign, code: currency, besideNumber: true });
  }
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (numbers.some((number) => number.currency !== undefined && overlaps(number, token))) continue;
    for (let last = Math.min(i + MAX_WORDS, tokens.length) - 1; last >= i; last--) {
      const span = { start: token.start, end: (tokens[last] as Token).end };
      const code = currencyOfWord(text.slice(span.start, span.end));
      if (code === undefined) continue;
      found.push({ ...span, code, besideNumber: false });
      i = last;
      break;
    }
  }
  return found;
}
