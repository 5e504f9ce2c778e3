import { errorOf, LintelError } from './problem.ts';

/** Parts of a request that fill its route. */
export type RequestParts = {
  path?: Readonly<Record<string, string | number>>;
  query?: Readonly<Record<string, unknown>>;
  body?: unknown;
};

/** What every call may be given beside its input. */
export type CallOptions = {
  signal?: AbortSignal;
  headers?: Readonly<Record<string, string>>;
  /** Own key for a POST, when the caller repeats it across restarts; one is made otherwise. */
  idempotencyKey?: string;
};

/** How requests leave. */
export type Sender = {
  baseUrl: string;
  apiKey: string | undefined;
  fetch: typeof globalThis.fetch;
  maxRetries: number;
  /** Waits that many milliseconds; tests replace it. */
  wait: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
};

const longestWaitMs = 60_000;
const protocolRoutes = new Set(['POST /v1/chat/completions', 'POST /v1/embeddings']);

/**
 * Sends a request for a route (`GET /v1/runs/{id}`), repeating it with back-off where that is safe: GET, PUT, DELETE, and POST
 * with its Idempotency-Key after a lost connection or 502–504; anything after 429 or 503, which promise that nothing was done.
 * Retry-After is kept. Throws LintelError for every answer that is not 2xx.
 */
export async function send(
  sender: Sender,
  route: string,
  parts: RequestParts,
  options: CallOptions = {},
): Promise<Response> {
  const space = route.indexOf(' ');
  const method = route.slice(0, space);
  const url = sender.baseUrl + fillPath(route.slice(space + 1), parts.path) + queryText(parts.query);
  const isOnceOnly = method === 'POST' && !takesKey(route, parts.body);
  const headers: Record<string, string> = { accept: 'application/json', ...options.headers };
  if (sender.apiKey !== undefined) headers['authorization'] = `Bearer ${sender.apiKey}`;
  if (parts.body !== undefined) headers['content-type'] = 'application/json';
  if (method === 'POST' && !isOnceOnly) headers['idempotency-key'] = options.idempotencyKey ?? crypto.randomUUID();
  const isRepeatable = method !== 'PATCH' && !isOnceOnly;
  const init: RequestInit = {
    method,
    headers,
    credentials: 'same-origin',
    ...(parts.body === undefined ? {} : { body: JSON.stringify(parts.body) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  for (let attempt = 0; ; attempt++) {
    let failure: LintelError;
    let waitMs = backOffMs(attempt);
    let mayRepeat = isRepeatable;
    try {
      const response = await sender.fetch(url, init);
      if (response.ok) return response;
      failure = await errorOf(response);
      const retryAfter = retryAfterMs(response.headers.get('retry-after'));
      if (retryAfter !== undefined) waitMs = retryAfter;
      const refusedUntouched = response.status === 429 || response.status === 503;
      mayRepeat =
        response.headers.get('x-should-retry') !== 'false' &&
        waitMs <= longestWaitMs &&
        (refusedUntouched || (isRepeatable && (response.status === 502 || response.status === 504)));
    } catch (cause) {
      if (options.signal?.aborted === true) throw cause;
      failure = new LintelError(0, { type: 'network', title: 'The server could not be reached.' }, cause);
    }
    if (!mayRepeat || attempt >= sender.maxRetries) throw failure;
    await sender.wait(waitMs, options.signal);
  }
}

/** Milliseconds of a Retry-After header (seconds or an HTTP date, RFC 9110 §10.2.3); undefined when absent or unreadable. */
export function retryAfterMs(value: string | null, nowMs: number = Date.now()): number | undefined {
  if (value === null) return undefined;
  const seconds = Number(value);
  if (value.trim() !== '' && Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** Waits; rejects with the signal's reason when it is aborted meanwhile. */
export function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Exponential back-off with full jitter: up to 250 ms, 500 ms, 1 s … 8 s. */
function backOffMs(attempt: number): number {
  return Math.random() * Math.min(8000, 250 * 2 ** attempt);
}

/** Whether a POST takes an Idempotency-Key: not OpenAI's own routes, nor runs that somebody waits for. */
function takesKey(route: string, body: unknown): boolean {
  if (protocolRoutes.has(route)) return false;
  return route !== 'POST /v1/agents/{id}/runs' || (body as { mode?: string } | undefined)?.mode === 'background';
}

function fillPath(path: string, values: RequestParts['path']): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values?.[name];
    if (value === undefined || value === '') throw new TypeError(`${path} needs path.${name}`);
    return encodeURIComponent(String(value));
  });
}

function queryText(query: RequestParts['query']): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === null) continue;
    for (const each of Array.isArray(value) ? value : [value]) search.append(name, String(each));
  }
  return search.size === 0 ? '' : `?${search.toString()}`;
}
