/**
 * Where the top-level members of a JSON object stand in its text, in their order: the value at [start, end) in UTF-16 units, and
 * before it the name, from `at`.
 */
export type Members = ReadonlyMap<string, readonly [start: number, end: number, at: number]>;

/** A member that stands twice: readers disagree about which one counts, so it is refused. */
export class DuplicateMember extends Error {
  readonly member: string;

  constructor(member: string) {
    super(`The member "${member}" stands twice.`);
    this.name = 'DuplicateMember';
    this.member = member;
  }
}

/**
 * Finds the top-level members of a JSON object. `text` must have passed `JSON.parse` as an object: only positions are sought
 * here, in one pass. Throws {@link DuplicateMember}.
 */
export function findMembers(text: string): Members {
  const members = new Map<string, readonly [number, number, number]>();
  let at = text.indexOf('{') + 1;
  for (;;) {
    at = skipSpace(text, at);
    if (text[at] === '}') return members;
    if (text[at] === ',') {
      at++;
      continue;
    }
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    if (members.has(key)) throw new DuplicateMember(key);
    members.set(key, [start, end, at]);
    at = end;
  }
}

/**
 * The same JSON text with some top-level members set to the given JSON texts, appended when absent, or taken out (null); every other
 * byte stays as it came (large numbers, spacing and unknown members included).
 */
export function editMembers(text: string, members: Members, edits: ReadonlyMap<string, string | null>): string {
  let result = '';
  let from = 0;
  let left = 0;
  let endBefore = 0;
  for (const [key, [start, end, at]] of members) {
    const value = edits.get(key);
    if (value === null) {
      // It goes with the comma before it, or with the one after it where nothing is left before it.
      result += text.slice(from, left > 0 ? endBefore : at);
      from = left > 0 ? end : afterComma(text, end);
    } else {
      left++;
      if (value !== undefined) {
        result += text.slice(from, start) + value;
        from = end;
      }
    }
    endBefore = end;
  }
  const added = [...edits].filter(([key, value]) => value !== null && !members.has(key));
  if (added.length === 0) return result + text.slice(from);
  const close = text.lastIndexOf('}');
  const body = added.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',');
  return `${result}${text.slice(from, close)}${left > 0 ? ',' : ''}${body}${text.slice(close)}`;
}

function afterComma(text: string, from: number): number {
  const at = skipSpace(text, from);
  return text[at] === ',' ? skipSpace(text, at + 1) : from;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (
    let code = text.charCodeAt(at);
    code === 32 || code === 9 || code === 10 || code === 13;
    code = text.charCodeAt(at)
  )
    at++;
  return at;
}

/** Index after the closing quote of the string that opens at `from`. */
function endOfString(text: string, from: number): number {
  let at = from;
  for (;;) {
    at = text.indexOf('"', at + 1);
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 92) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
}

function endOfValue(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return endOfString(text, from);
  if (first !== '{' && first !== '[') {
    let at = from;
    while (!',}] \t\r\n'.includes(text[at] as string)) at++;
    return at;
  }
  let depth = 0;
  for (let at = from; ; at++) {
    const code = text.charCodeAt(at);
    if (code === 34) at = endOfString(text, at) - 1;
    else if (code === 123 || code === 91) depth++;
    else if (code === 125 || code === 93) {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
}
