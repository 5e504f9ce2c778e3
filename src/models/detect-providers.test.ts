import { expect, test } from 'vitest';

import { detectProviders } from './detect-providers.ts';
import { presets } from './presets.ts';

test('offers a preset whose key variable is set, by name alone', async () => {
  const environment = { OPENAI_API_KEY: 'sk-very-secret', DASHSCOPE_API_KEY: '', ZHIPU_API_KEY: 'zp-very-secret' };
  const offers = await detectProviders(environment, async () => undefined);
  expect(offers.map((offer) => [offer.preset, offer.source, offer.variable])).toEqual([
    ['openai', 'environment', 'OPENAI_API_KEY'],
    ['glm', 'environment', 'ZHIPU_API_KEY'],
  ]);
  expect(JSON.stringify(offers)).not.toContain('very-secret');
});

test('offers an Ollama that answers on loopback, with its models', async () => {
  const asked: string[] = [];
  const offers = await detectProviders({}, async (baseUrl) => {
    asked.push(baseUrl);
    return ['llama3.2'];
  });
  expect(asked).toEqual(['http://127.0.0.1:11434/v1']);
  expect(offers).toEqual([
    { preset: 'ollama', title: 'Ollama', source: 'loopback', variable: null, baseUrl: asked[0], models: ['llama3.2'] },
  ]);
});

test('every preset names its documentation and an address without a slash at its end', () => {
  for (const preset of Object.values(presets)) {
    expect(preset.docs).toMatch(/^https:/);
    expect(preset.baseUrl ?? 'x').not.toMatch(/\/$/);
    expect(preset.baseUrl === null || preset.baseUrl.startsWith('https:') || preset.name === 'ollama').toBe(true);
  }
});
