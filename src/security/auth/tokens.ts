import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import type { Sealer } from '#kernel/seal';

/** What a token is for; one made for one purpose is nothing for another. */
export type TokenPurpose = 'session' | 'login' | 'invitation';

const randomLength = 24;
const macLength = 8;

/**
 * Random secrets of sessions and links: 24 random bytes and a keyed MAC of 8 (a made-up one costs no look into the database),
 * base64url. Stored as an HMAC only.
 */
export class Tokens {
  readonly #sealer: Sealer;

  constructor(sealer: Sealer) {
    this.#sealer = sealer;
  }

  /** A new token. */
  mint(purpose: TokenPurpose): string {
    const random = randomBytes(randomLength);
    return Buffer.concat([random, this.#mac(purpose, random)]).toString('base64url');
  }

  /** Whether this installation made the token for this purpose: by its MAC alone. */
  isOurs(purpose: TokenPurpose, token: string): boolean {
    if (!/^[A-Za-z0-9_-]{43}$/.test(token)) return false;
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length !== randomLength + macLength) return false;
    return timingSafeEqual(bytes.subarray(randomLength), this.#mac(purpose, bytes.subarray(0, randomLength)));
  }

  /** What is stored of a token. */
  hash(purpose: TokenPurpose, token: string): string {
    return this.#sealer.hmac(`${purpose}-token`, token);
  }

  #mac(purpose: TokenPurpose, random: Buffer): Buffer {
    return createHmac('sha256', this.#sealer.derive(`${purpose}-token-mac`))
      .update(random)
      .digest()
      .subarray(0, macLength);
  }
}
