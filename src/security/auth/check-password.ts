import { invalidInput } from '#kernel/problem';

/** Shortest password, characters: NIST SP 800-63B-4 §3.1.1.2 asks for 15 where it is the only factor. */
export const minPasswordLength = 15;

/** Longest password, characters. */
export const maxPasswordLength = 256;

/** A password as it is hashed: NFKC, so that it is the same from every keyboard (NIST SP 800-63B-4 §3.1.1.2). */
export function normalPassword(password: string): string {
  return password.normalize('NFKC');
}

/**
 * 400 for a password too short, or one that says nothing an attacker would not try first: few different characters, a row such
 * as `123456…`, the person's own address or name repeated. No rules of composition (NIST SP 800-63B-4 §3.1.1.2).
 */
export function checkPassword(
  password: string,
  person: { email: string; name: string },
  pointer = '/password',
): string {
  const normal = normalPassword(password);
  const length = [...normal].length;
  if (length < minPasswordLength) throw invalidInput(pointer, `takes at least ${minPasswordLength} characters`);
  if (length > maxPasswordLength) throw invalidInput(pointer, `takes at most ${maxPasswordLength} characters`);
  const lower = normal.toLowerCase();
  if (new Set(lower).size < 5) throw invalidInput(pointer, 'has too few different characters');
  if (isRow(lower)) throw invalidInput(pointer, 'is a row of neighbouring characters');
  let rest = lower;
  const [local = '', domain = ''] = person.email.toLowerCase().split('@');
  for (const own of [person.email, local, domain, ...person.name.split(/\s+/), 'lintel', 'password'])
    if (own.length > 2) rest = rest.replaceAll(own.toLowerCase(), '');
  if ([...rest].length < 8) throw invalidInput(pointer, 'is too close to your own name or address');
  return normal;
}

const rows = ['abcdefghijklmnopqrstuvwxyz', '01234567890', 'qwertyuiopasdfghjklzxcvbnm'];

function isRow(text: string): boolean {
  let steps = 0;
  for (let i = 1; i < text.length; i++) {
    const pair = text.slice(i - 1, i + 1);
    const back = `${pair[1]}${pair[0]}`;
    if (rows.some((row) => row.includes(pair) || row.includes(back))) steps++;
  }
  return steps >= text.length - 3;
}
