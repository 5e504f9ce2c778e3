/** How a try failed: the provider's status, or the error when no answer came. */
export type Failure = {
  readonly status?: number;
  readonly error?: unknown;
  /** The answer's Retry-After header. */
  readonly retryAfter?: string | null;
};

/** Tries of one target for one call, the first included. */
const mostTries = 3;

/** The longest wait (ms) before a retry while a client holds the line: with a longer Retry-After the next target is tried instead. */
export const longestWaitMs = 5_000;

const notConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
]);
const broken = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED']);
const timedOut = new Set(['ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** What an error means: the provider was never reached, the line broke, it took too long, or something else. */
export function kindOfError(error: unknown): 'not-connected' | 'broken' | 'timeout' | 'other' {
  // fetch wraps the socket's error in `cause`, SDKs wrap once more.
  for (let each: unknown = error, depth = 0; each instanceof Error && depth < 6; each = each.cause, depth++) {
    const code = (each as { code?: unknown }).code;
    if (typeof code === 'string') {
      if (notConnected.has(code)) return 'not-connected';
      if (broken.has(code)) return 'broken';
      if (timedOut.has(code)) return 'timeout';
    }
    if (each.name === 'TimeoutError') return 'timeout';
  }
  return 'other';
}

/**
 * Whether the same request may be sent to the same target again. Never once a byte of an answer went on to the client. Then: when the provider was not
 * reached or the line broke, and for 408, 429 and 5xx. A repeat may cost the key's owner twice, never the caller. Not after a
 * timeout: the provider may still be at work.
 */
export function safeToRetry(failure: Failure, bytesSent: number): boolean {
  if (bytesSent > 0) return false;
  const { status } = failure;
  if (status !== undefined) return status === 408 || status === 429 || status >= 500;
  const kind = kindOfError(failure.error);
  return kind === 'not-connected' || kind === 'broken';
}

/**
 * Milliseconds to wait before try number `next` (2, 3 …), or undefined when there is to be none: tries used up, or the provider
 * asks for more than {@link longestWaitMs}. Exponential with full jitter (AWS Architecture Blog, 2015), at least what Retry-After says.
 */
export function retryDelayMs(failure: Failure, next: number, nowMs: number, random: () => number): number | undefined {
  if (next > mostTries) return undefined;
  const backoff = random() * 200 * 2 ** (next - 2);
  const asked = readRetryAfter(failure.retryAfter, nowMs);
  if (asked === undefined) return backoff;
  return asked > longestWaitMs ? undefined : Math.max(asked, backoff);
}

/** Milliseconds that a Retry-After header (RFC 9110 §10.2.3: seconds or a date) asks to wait; undefined when absent or unreadable. */
export function readRetryAfter(header: string | null | undefined, nowMs: number): number | undefined {
  if (header === null || header === undefined) return undefined;
  if (/^\d{1,9}(\.\d{1,3})?$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** Whether the next target may be tried. Not after a byte went to the client, nor where the request itself is at fault. */
export function mayFallBack(failure: Failure, bytesSent: number): boolean {
  if (bytesSent > 0) return false;
  const { status } = failure;
  if (status === undefined) return true;
  return status >= 500 || fallbackStatuses.has(status);
}

/** Whether a failure speaks against the provider's health. A 429 does not: it is up, and says when to come back. */
export function tripsCircuit(failure: Failure): boolean {
  const { status } = failure;
  if (status !== undefined) return status >= 500 || status === 408;
  return kindOfError(failure.error) !== 'other';
}

/** The provider refused our key, quota or model, not what the caller sent. */
const fallbackStatuses = new Set([401, 402, 403, 404, 408, 429]);
