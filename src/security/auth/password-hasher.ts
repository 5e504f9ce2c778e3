import { hash, verify } from '@node-rs/argon2';

import { Problem } from '#kernel/problem';

import { problems } from './problems.ts';

/** Hashes and checks passwords, wherever that is done: in this process, or in the background over IPC. */
export type PasswordHasher = {
  /** A hash in the PHC string format. */
  hash(password: string): Promise<string>;
  /** Whether the password belongs to the hash. */
  verify(hash: string, password: string): Promise<boolean>;
};

/** Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet). The library's algorithm is Argon2id unless told otherwise. */
const options = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/**
 * Hashing in this process, on libuv's threads. At most `running` at once (each takes ~0.1 s of a core and 19 MiB, so this is
 * what an attacker would use up); at most `waiting` more wait, others get 503.
 */
export function inProcessHasher(
  bounds: { running: number; waiting: number } = { running: 2, waiting: 32 },
): PasswordHasher {
  let running = 0;
  const queue: (() => void)[] = [];
  const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= bounds.running) {
      if (queue.length >= bounds.waiting) throw new Problem(problems.signInBusy, { headers: { 'retry-after': '2' } });
      // Whoever ends hands its place on, so the count stays.
      await new Promise<void>((resolve) => queue.push(resolve));
    } else running++;
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next === undefined) running--;
      else next();
    }
  };
  return {
    hash: (password) => bounded(() => hash(password, options)),
    verify: (stored, password) => bounded(() => verify(stored, password)),
  };
}
