import { invalidInput } from '#kernel/problem';

/**
 * 400 when a parsed JSON value holds a text that PostgreSQL cannot keep (U+0000 or a lone surrogate: neither `text` nor `jsonb` takes
 * them), as a value or as a member's name. `source` is the text it was parsed from: only an escape can bring them in, so a body
 * without one costs a single search. Walks without recursion: depth is the sender's choice.
 */
export function requireStorable(value: unknown, source: string): void {
  if (!source.includes('\\u')) return;
  const open: [unknown, string][] = [[value, '']];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [each, pointer] = next;
    if (typeof each === 'string') {
      if (!isStorable(each)) throw invalidInput(pointer, 'holds U+0000 or half of a surrogate pair');
    } else if (each !== null && typeof each === 'object') {
      for (const [name, member] of Object.entries(each)) {
        if (!isStorable(name))
          throw invalidInput(pointer, 'has a member named with U+0000 or half of a surrogate pair');
        open.push([member, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`]);
      }
    }
  }
}

/** 400 for the same in an address: percent-encoded U+0000, or a query member `__proto__`. */
export function requireStorableAddress(url: string, query: unknown): void {
  if (url.includes('%00')) throw invalidInput('', 'the address holds U+0000');
  if (query !== null && typeof query === 'object' && Object.hasOwn(query, '__proto__'))
    throw invalidInput('/query/__proto__', 'is not a member that is taken here');
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}
