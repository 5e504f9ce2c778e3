import type { ChildProcess } from 'node:child_process';

import type { ChildMessage } from './child-terms.ts';

/** Carries password checks from the fronts to background and the answers back; nothing of them is kept or logged. */
export class HashRelay {
  /** The background process of this moment. */
  background: ChildProcess | undefined;
  readonly #fronts = new Map<number, ChildProcess>();

  /** Takes a front in, until it ends. */
  add(front: ChildProcess): void {
    const { pid } = front;
    if (pid === undefined) return;
    this.#fronts.set(pid, front);
    front.once('exit', () => this.#fronts.delete(pid));
  }

  /** Hands a front's question on; says at once when nobody is there to answer. */
  toBackground(front: ChildProcess, message: ChildMessage): void {
    if (message.type !== 'hash' || front.pid === undefined) return;
    if (this.background?.connected) this.background.send({ ...message, from: front.pid }, () => undefined);
    else
      front.send({ type: 'hashed', id: message.id, answer: { error: 'away' } } satisfies ChildMessage, () => undefined);
  }

  /** Hands an answer back to the front that asked. */
  toFront(message: ChildMessage): void {
    if (message.type === 'hashed' && message.from !== undefined)
      this.#fronts.get(message.from)?.send(message, () => undefined);
  }
}
