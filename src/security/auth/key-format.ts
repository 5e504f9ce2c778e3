import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

import type { Sealer } from '#kernel/seal';

/** What the whole of a key looks like: for secret scanners. The last six characters are its CRC-32. */
export const keyPattern = '^lt_(live|test)_[0-9A-Za-z]{46}$';

const form = /^lt_(?:live|test)_[0-9A-Za-z]{46}$/;
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const prefixLength = 'lt_live_'.length;
const randomLength = 32;
const macLength = 8;
const crcLength = 6;
const rememberedKeys = 10_000;

/**
 * Makes and recognises API keys: prefix, 32 random base62 digits (190 bits), a keyed MAC of 8 digits (so that a made-up key is
 * refused without a look into the database), CRC-32 of all before in 6 digits (so that scanners know a real one).
 */
export class KeyFormat {
  readonly #macKey: Buffer;
  readonly #hashKey: Buffer;
  readonly #hashes = new Map<string, string>();

  constructor(sealer: Sealer) {
    this.#macKey = sealer.derive('api-key-mac');
    this.#hashKey = sealer.derive('hmac api-key');
  }

  /** A new key. */
  mint(mode: 'live' | 'test'): string {
    const head = `lt_${mode}_${randomDigits(randomLength)}`;
    const body = `${head}${this.#mac(head)}`;
    return `${body}${base62(BigInt(crc32(body)), crcLength)}`;
  }

  /** Whether a text is a key that this installation made: by its form and its MAC alone. */
  isOurs(key: string): boolean {
    if (!form.test(key)) return false;
    const at = prefixLength + randomLength;
    return timingSafeEqual(Buffer.from(key.slice(at, at + macLength)), Buffer.from(this.#mac(key.slice(0, at))));
  }

  /**
   * What is stored of a key: its HMAC, the same text as `sealer.hmac('api-key', key)`. Remembered by the key's SHA-256, which costs a
   * quarter and of 190 random bits tells as little.
   */
  hash(key: string): string {
    const digest = hash('sha256', key, 'base64url');
    let found = this.#hashes.get(digest);
    if (found === undefined) {
      found = `1.${createHmac('sha256', this.#hashKey).update(key).digest('base64url')}`;
      if (this.#hashes.size >= rememberedKeys) this.#hashes.clear();
      this.#hashes.set(digest, found);
    }
    return found;
  }

  /** What lists show of a key. */
  shown(key: string): string {
    return `${key.slice(0, prefixLength + 4)}…${key.slice(-4)}`;
  }

  #mac(head: string): string {
    return base62(createHmac('sha256', this.#macKey).update(head).digest().readBigUInt64BE(), macLength);
  }
}

/** The low `length` base62 digits of a number. */
function base62(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  for (let i = 0; i < length; i++) {
    text = digits[Number(rest % 62n)] + text;
    rest /= 62n;
  }
  return text;
}

function randomDigits(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      // 248 = 4 × 62: bytes above would make the first digits likelier.
      if (byte < 248 && text.length < length) text += digits[byte % 62];
    }
  }
  return text;
}
