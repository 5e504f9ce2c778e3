/**
 * Does work every so many milliseconds, a turn that outlasts the time to the next one instead of that one. What fails is told to `failed`
 * and tried again the next time. The returned function ends it, after the turn at hand.
 */
export function repeat(
  everyMs: number,
  work: () => Promise<unknown>,
  failed: (error: unknown) => void,
): () => Promise<void> {
  let turn: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    turn ??= Promise.resolve()
      .then(work)
      .catch(failed)
      .finally(() => {
        turn = undefined;
      });
  }, everyMs);
  return async () => {
    clearInterval(timer);
    await turn;
  };
}
