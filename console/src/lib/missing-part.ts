/** A part of the console could not be loaded: the server is away, or was updated and has other parts now. */
export class MissingPart extends Error {}

/**
 * Loads a screen's code. The router loads the whole page anew for what browsers say of a missing module, which ends on the browser's
 * own error page while the server is away; for this error it shows the screen's.
 */
export function part<T>(load: () => Promise<T>): () => Promise<T> {
  return () =>
    load().catch((cause: unknown) => {
      throw new MissingPart('A part of the console could not be loaded.', { cause });
    });
}
