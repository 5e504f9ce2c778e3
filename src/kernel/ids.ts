import { randomFillSync } from 'node:crypto';

/** Every kind of thing with an id outside, and its prefix there. The one table of prefixes. */
export const idPrefixes = {
  tenant: 'tnt',
  user: 'usr',
  key: 'key',
  session: 'ses',
  invitation: 'inv',
  role: 'rol',
  grant: 'gra',
  agent: 'agt',
  version: 'ver',
  run: 'run',
  approval: 'apr',
  tool: 'tol',
  provider: 'prv',
  model: 'mdl',
  invoice: 'ivc',
  event: 'evt',
  audit: 'aud',
  call: 'call',
  request: 'req',
  node: 'nod',
  operation: 'op',
  limit: 'lim',
  plan: 'pln',
  price: 'prc',
  subscription: 'sub',
  usage: 'usg',
  egressRule: 'egr',
} as const;

/** A kind of thing that has an id. */
export type IdKind = keyof typeof idPrefixes;

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const values = new Int8Array(128).fill(-1);
for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const pool = Buffer.allocUnsafe(4096);
let poolAt = pool.length;
let lastMs = 0;
let sequence = 0;

/** A clock that goes back by more was set anew, and ids follow it: the time in them is what rows are billed and listed by. */
const setBackMs = 10_000;

/**
 * A new UUID version 7 (RFC 9562 §5.7), lower case: 48 bits of Unix milliseconds, a 12-bit counter that keeps ids of one
 * process in order inside a millisecond and while the clock goes back a little (§6.2), 62 random bits.
 */
export function newId(nowMs: number = Date.now()): string {
  if (nowMs > lastMs || nowMs < lastMs - setBackMs) {
    lastMs = nowMs;
    sequence = 0;
  } else if (++sequence > 0xfff) {
    lastMs++;
    sequence = 0;
  }
  if (poolAt + 8 > pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const random = pool.toString('hex', poolAt, poolAt + 8);
  poolAt += 8;
  const time = lastMs.toString(16).padStart(12, '0');
  const variant = alphabet[8 + (Number.parseInt(random[0] as string, 16) & 3)];
  const seq = sequence.toString(16).padStart(3, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${seq}-${variant}${random.slice(1, 4)}-${random.slice(4)}`;
}

/** Milliseconds since the epoch carried by a UUID version 7. */
export function idTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** True for a lower-case UUID in its canonical form. */
export function isUuid(value: string): boolean {
  return uuidPattern.test(value);
}

/** `value` when it is a UUID; throws TypeError otherwise. Guards every place where an id becomes SQL text. */
export function requireUuid(value: string): string {
  if (!isUuid(value)) throw new TypeError('not a UUID');
  return value;
}

/** Characters of an id under construction: a text made one by one leaves all its beginnings to the collector. */
const made = Buffer.alloc(26);

/** The outside form of an id: `prefix_` + 26 Crockford base32 characters (TypeID 0.3). */
export function formatId(kind: IdKind, uuid: string): string {
  // 130 bits in groups of five, the first two of them zero.
  let bits = 2;
  let held = 0;
  let at = 0;
  for (let i = 0; i < uuid.length; i++) {
    const code = uuid.charCodeAt(i);
    if (code === 45 && (i === 8 || i === 13 || i === 18 || i === 23)) continue;
    const digit = code >= 48 && code <= 57 ? code - 48 : code >= 97 && code <= 102 ? code - 87 : undefined;
    if (digit === undefined) throw new TypeError('not a UUID');
    held = (held << 4) | digit;
    bits += 4;
    if (bits < 5) continue;
    bits -= 5;
    made[at++] = alphabet.charCodeAt(held >> bits);
    held &= (1 << bits) - 1;
  }
  if (at !== 26 || bits !== 0 || uuid.length !== 36) throw new TypeError('not a UUID');
  return `${idPrefixes[kind]}_${made.toString('latin1')}`;
}

/** The UUID behind an outside id of this kind, or undefined when it is not one. */
export function parseId(kind: IdKind, text: string): string | undefined {
  const prefix = idPrefixes[kind];
  if (text.length !== prefix.length + 27 || !text.startsWith(`${prefix}_`)) return undefined;
  let value = 0n;
  for (let i = prefix.length + 1; i < text.length; i++) {
    const digit = values[text.charCodeAt(i)] ?? -1;
    if (digit < 0) return undefined;
    value = (value << 5n) | BigInt(digit);
  }
  if (value >> 128n !== 0n) return undefined;
  const hex = value.toString(16).padStart(32, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
