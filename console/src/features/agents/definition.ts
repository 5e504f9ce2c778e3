/** A tool source as an agent uses it. */
export type ToolUse = { tool: string; only?: string[]; approval?: 'never' | 'writes' | 'always' };

/** Bounds of a run. */
export type Guardrails = {
  maxSteps?: number;
  maxTokens?: number;
  maxMoney?: string;
  maxSeconds?: number;
  maxOutputTokens?: number;
};

/** What an agent is: run here, or running elsewhere. */
export type Definition =
  | {
      kind: 'native';
      instructions: string;
      model: string;
      temperature?: number;
      tools?: ToolUse[];
      guardrails?: Guardrails;
    }
  | {
      kind: 'external';
      protocol: 'openai' | 'http';
      url: string;
      model?: string;
      idempotent?: boolean;
      request?: { fixed?: Record<string, unknown>; text?: string; messages?: string };
      response?: { text?: string; inputTokens?: string; outputTokens?: string };
      guardrails?: Guardrails;
    };

/** A native agent's definition to begin with. Without a model connected it asks the router, which needs no provider. */
export const newNative: Definition = {
  kind: 'native',
  instructions: '',
  model: '',
  tools: [{ tool: 'calculator' }, { tool: 'clock' }],
  guardrails: { maxSteps: 20, maxSeconds: 600 },
};

/** An external agent's definition to begin with. */
export const newExternal: Definition = {
  kind: 'external',
  protocol: 'openai',
  url: '',
  guardrails: { maxSeconds: 600 },
};

/** A definition without its empty members: what the API takes. */
export function trimDefinition(definition: Definition): Definition {
  return trim(definition) as Definition;
}

function trim(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(trim);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value)
    .map(([name, inner]) => [name, name === 'instructions' ? inner : trim(inner)] as const)
    .filter(([, inner]) => inner !== undefined && inner !== '' && !isEmptyObject(inner));
  return Object.fromEntries(kept.map(([name, inner]) => [name, inner]).concat(instructionsOf(value)));
}

/** Instructions may be empty and must be there. */
function instructionsOf(value: object): [string, unknown][] {
  return 'instructions' in value ? [['instructions', (value as { instructions: unknown }).instructions]] : [];
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}
