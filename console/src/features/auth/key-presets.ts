/** What a key can be made for with one click; `custom` opens the whole vocabulary. */
export const keyPresets = ['invoke', 'build', 'observe', 'custom'] as const;

/** One of {@link keyPresets}. */
export type KeyPreset = (typeof keyPresets)[number];

/** A key as the wizard gathers it. */
export type KeyDraft = {
  name: string;
  mode: 'live' | 'test';
  preset: KeyPreset;
  agents: string[];
  ips: string[];
  /** Days until it expires; empty: never. */
  days: string;
  /** Chosen one by one: used by the preset `custom`. */
  scopes: string[];
};

/** Colours of the risks that the server's vocabulary names. */
export const riskColors: Record<string, string> = { low: 'gray', medium: 'yellow', high: 'red' };

const nouns: Record<Exclude<KeyPreset, 'custom'>, (permission: string) => boolean> = {
  invoke: (permission) =>
    permission.endsWith(':invoke') || /^(models|agents):read$/.test(permission) || permission.startsWith('runs:'),
  build: (permission) => /^(models|agents|tools|runs|providers|approvals):/.test(permission),
  observe: (permission) => permission.endsWith(':read'),
};

/** The permissions of a preset, out of those the server knows. */
export function presetScopes(preset: KeyPreset, vocabulary: readonly string[]): string[] {
  return preset === 'custom' ? [] : vocabulary.filter(nouns[preset]);
}

/** The moment `days` from now, ISO 8601. */
export function expiryOf(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString();
}
