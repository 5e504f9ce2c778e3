/** Runs `work` as a named step of a start; `describe` turns its result into a few words beside the name. */
export type Step = <T>(
  name: string,
  work: () => T | Promise<T>,
  describe?: (result: T) => string | undefined,
) => Promise<T>;

/**
 * Prints one timed line per step, so that an operator sees what a start is doing and what took long. On a terminal the line of a running
 * step is shown at once and overwritten by its outcome; elsewhere each step is one plain line when it has ended.
 */
export function createSteps(out: { stream: { write(text: string): unknown }; isTty: boolean }): Step {
  const { stream, isTty } = out;
  return async (name, work, describe) => {
    const started = performance.now();
    const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
    if (isTty) stream.write(`\x1b[2m… ${name}\x1b[0m`);
    try {
      const result = await work();
      const detail = describe?.(result);
      const about = detail === undefined ? '' : ` (${detail})`;
      stream.write(
        isTty
          ? `\r\x1b[2K\x1b[32m✓\x1b[0m ${name}${about} \x1b[2m${seconds()}\x1b[0m\n`
          : `${name}: done${about} in ${seconds()}\n`,
      );
      return result;
    } catch (error) {
      stream.write(
        isTty
          ? `\r\x1b[2K\x1b[31m✗\x1b[0m ${name} \x1b[2m${seconds()}\x1b[0m\n`
          : `${name}: failed after ${seconds()}\n`,
      );
      throw error;
    }
  };
}
