import { Problem, problems } from '#kernel/problem';
import { inProcessHasher, type PasswordHasher } from '#security/auth';
import type { ChildMessage } from './child-terms.ts';

type Ask = { kind: 'hash'; password: string } | { kind: 'verify'; hash: string; password: string };

type Answer = { value: string | boolean } | { error: 'busy' | 'away' | 'failed' };

const patienceMs = 10_000;

/** Passwords are hashed and checked in background: argon2 would take the fronts' cores. Asks over IPC; 503 when nobody answers. */
export function remoteHasher(): PasswordHasher {
  let last = 0;
  const waiting = new Map<number, (answer: Answer) => void>();
  process.on('message', (message: ChildMessage) => {
    if (message.type !== 'hashed') return;
    waiting.get(message.id)?.(message.answer as Answer);
  });
  const ask = async (question: Ask): Promise<string | boolean> => {
    const id = ++last;
    const answer = await new Promise<Answer>((resolve) => {
      const timer = setTimeout(() => resolve({ error: 'away' }), patienceMs);
      waiting.set(id, (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      process.send?.(
        { type: 'hash', id, ask: question } satisfies ChildMessage,
        undefined,
        undefined,
        (error: Error | null) => {
          if (error !== null) resolve({ error: 'away' });
        },
      );
    });
    waiting.delete(id);
    if ('value' in answer) return answer.value;
    throw new Problem(problems.unavailable, {
      detail: 'Passwords cannot be checked at the moment.',
      headers: { 'retry-after': '2' },
    });
  };
  return {
    hash: async (password) => String(await ask({ kind: 'hash', password })),
    verify: async (hash, password) => (await ask({ kind: 'verify', hash, password })) === true,
  };
}

/** Answers what {@link remoteHasher} asks; nothing of it is kept. */
export function answerHashing(hasher: PasswordHasher = inProcessHasher()): void {
  process.on('message', (message: ChildMessage) => {
    if (message.type !== 'hash') return;
    const ask = message.ask as Ask;
    const work = ask.kind === 'hash' ? hasher.hash(ask.password) : hasher.verify(ask.hash, ask.password);
    void work
      .then(
        (value): Answer => ({ value }),
        (error: unknown): Answer => ({ error: error instanceof Problem ? 'busy' : 'failed' }),
      )
      .then((answer) => {
        const { id, from } = message;
        const told: ChildMessage = { type: 'hashed', id, ...(from === undefined ? {} : { from }), answer };
        // Without a callback the loss of the pipe would be an error that ends this process, which still drains.
        process.send?.(told, undefined, undefined, () => undefined);
      });
  });
}
