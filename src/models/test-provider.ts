import { kindOfError } from './retry-policy.ts';

/** How a connection test went. */
export type ProviderTest = {
  ok: boolean;
  /** From sending the request to the whole answer. */
  latencyMs: number;
  /** Names of the models the provider lists; empty when it lists none. */
  models: string[];
  /** What was wrong, in a stable word and in plain words; null when all is well. */
  error: {
    code:
      | 'unreachable'
      | 'timeout'
      | 'blocked'
      | 'unauthorized'
      | 'not-found'
      | 'rate-limited'
      | 'failed'
      | 'not-openai';
    detail: string;
  } | null;
};

const timeoutMs = 15_000;
const mostModels = 500;

/** A provider to test; `model` is asked for one token where there is no list of models. */
export type TestedProvider = {
  readonly baseUrl: string;
  readonly key: string | undefined;
  readonly model?: { readonly name: string; readonly capField: string };
};

/**
 * Makes one real request to a provider: its list of models (`GET /models`), which costs nothing; where it has none, a completion of one
 * token. Never throws for what the provider does.
 */
export async function testProvider(
  provider: TestedProvider,
  fetch: typeof globalThis.fetch,
  monotonic: () => number,
  limitMs: number = timeoutMs,
): Promise<ProviderTest> {
  const started = monotonic();
  const outcome = (models: string[], error: ProviderTest['error']): ProviderTest => ({
    ok: error === null,
    latencyMs: Math.round(monotonic() - started),
    models,
    error,
  });
  const { host } = new URL(provider.baseUrl);
  try {
    const headers = {
      accept: 'application/json',
      ...(provider.key === undefined ? {} : { authorization: `Bearer ${provider.key}` }),
    };
    const signal = AbortSignal.timeout(limitMs);
    const listed = await fetch(`${provider.baseUrl}/models`, { headers, signal });
    const { model } = provider;
    const unlisted = (listed.status === 404 || listed.status === 405) && model !== undefined;
    if (unlisted) await listed.body?.cancel();
    const response = unlisted
      ? await fetch(`${provider.baseUrl}/chat/completions`, oneToken(model, headers, signal))
      : listed;
    const text = await response.text();
    const { status } = response;
    if (status === 401 || status === 403)
      return outcome([], { code: 'unauthorized', detail: `${host} refused the key (${status}).` });
    if (status === 404 && !unlisted)
      return outcome([], {
        code: 'not-found',
        detail: `${host} knows no ${new URL(provider.baseUrl).pathname}/models: check the address.`,
      });
    if (status === 429) return outcome([], { code: 'rate-limited', detail: `${host} asks to slow down (429).` });
    if (!response.ok) return outcome([], { code: 'failed', detail: `${host} answered ${status}.` });
    if (unlisted && /^\s*\{.*"choices"/s.test(text)) return outcome([], null);
    const models = unlisted ? undefined : namesIn(text);
    return models === undefined
      ? outcome([], {
          code: 'not-openai',
          detail: `${host} answered, but not as OpenAI’s API does.`,
        })
      : outcome(models, null);
  } catch (error) {
    const kind = kindOfError(error);
    if (kind === 'timeout')
      return outcome([], { code: 'timeout', detail: `${host} did not answer within ${limitMs / 1000} s.` });
    if ((error as { name?: string }).name === 'EgressBlocked')
      return outcome([], { code: 'blocked', detail: (error as Error).message });
    return outcome([], { code: 'unreachable', detail: `${host} could not be reached (${codeOf(error)}).` });
  }
}

function oneToken(
  model: { name: string; capField: string },
  headers: Record<string, string>,
  signal: AbortSignal,
): RequestInit {
  const messages = [{ role: 'user', content: 'Hi' }];
  return {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ model: model.name, messages, [model.capField]: 1 }),
    signal,
  };
}

function namesIn(text: string): string[] | undefined {
  try {
    const { data } = JSON.parse(text) as { data?: unknown };
    if (!Array.isArray(data)) return undefined;
    return data
      .flatMap((each: unknown) => {
        const id = (each as { id?: unknown } | null)?.id;
        return typeof id === 'string' && id !== '' && id.length <= 200 ? [id] : [];
      })
      .slice(0, mostModels);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const { code } = each as { code?: unknown };
    if (typeof code === 'string') return code;
  }
  return 'no connection';
}
