/**
 * Bytes of UTF-8 text per token where nothing was observed: OpenAI's rule of thumb of four characters of English
 * (help.openai.com, "What are tokens and how to count them?"); Chinese comes out near it, with three bytes a character.
 */
export const defaultBytesPerToken = 4;

/** Tokens that so many bytes of text are likely to be: for what was used when the provider could not say. */
export function estimateTokens(bytes: number, bytesPerToken: number): number {
  return Math.ceil(bytes / bytesPerToken);
}

/** Share of a new observation in the moving average: slow, so that one odd text does not move estimates. */
const weight = 0.02;
const fewestTokens = 20;
const plausible = { least: 0.5, most: 16 };

/** Bytes per token of each model as a slow exponential moving average over the calls whose usage the provider reported. */
export class TokenDensity {
  readonly #averages = new Map<string, { value: number; saved: number }>();

  /** The present average of a model (by its id); undefined when nothing was observed here. */
  of(modelId: string): number | undefined {
    return this.#averages.get(modelId)?.value;
  }

  /** Takes in one call: bytes of text and tokens of the same text. Short and absurd ones say nothing. `start`: the average so far kept. */
  observe(modelId: string, start: number, bytes: number, tokens: number): void {
    const ratio = bytes / tokens;
    if (tokens < fewestTokens || !(ratio >= plausible.least && ratio <= plausible.most)) return;
    const known = this.#averages.get(modelId) ?? { value: start, saved: start };
    known.value += weight * (ratio - known.value);
    this.#averages.set(modelId, known);
  }

  /** Averages that moved by more than 2 % since they were last taken here: to be written back. */
  takeMoved(): { modelId: string; value: number }[] {
    const moved: { modelId: string; value: number }[] = [];
    for (const [modelId, known] of this.#averages) {
      if (Math.abs(known.value - known.saved) <= 0.02 * known.saved) continue;
      known.saved = known.value;
      moved.push({ modelId, value: known.value });
    }
    return moved;
  }
}
