import { presets } from './presets.ts';
import type { PresetName } from './types.ts';

/** A provider that could be connected with what this machine already has. The key's value is never part of it. */
export type ProviderOffer = {
  preset: PresetName;
  title: string;
  /** `environment`: a key is named there; `loopback`: a server answers on this machine. */
  source: 'environment' | 'loopback';
  /** Name of the environment variable. */
  variable: string | null;
  baseUrl: string | null;
  /** Models that the server on loopback has. */
  models: string[];
};

/**
 * What can be offered on the first screen: presets whose key variable is set, and an Ollama on loopback. Offered, never used
 * unasked. `probeLoopback` answers with the names of models at an OpenAI-compatible base address, or undefined when nothing answers.
 */
export async function detectProviders(
  environment: Readonly<Record<string, string | undefined>>,
  probeLoopback: (baseUrl: string) => Promise<string[] | undefined>,
): Promise<ProviderOffer[]> {
  const offers: ProviderOffer[] = [];
  for (const preset of Object.values(presets)) {
    const variable = preset.keyVariables.find((name) => (environment[name] ?? '') !== '');
    if (variable !== undefined)
      offers.push({
        preset: preset.name,
        title: preset.title,
        source: 'environment',
        variable,
        baseUrl: preset.baseUrl,
        models: preset.models.map((model) => model.name),
      });
  }
  const { ollama } = presets;
  const models = await probeLoopback(ollama.baseUrl as string);
  if (models !== undefined)
    offers.push({
      preset: 'ollama',
      title: ollama.title,
      source: 'loopback',
      variable: null,
      baseUrl: ollama.baseUrl,
      models,
    });
  return offers;
}
