import type { Dispatcher } from 'undici';

import { EgressBlocked, parseUrl } from './egress-url.ts';

/** Limits of one caller's requests. */
export interface EgressLimits {
  /** Milliseconds until the answer's headers. Default 300,000: a model may think long. */
  readonly headersMs?: number;
  /** Milliseconds between two parts of the answer. Default 300,000. */
  readonly bodyMs?: number;
  /** Bytes of the decoded answer. Default 16 MiB; raise it for event streams that stay open. */
  readonly maxBytes?: number;
  /** Default 5; 0 makes any redirect an error. */
  readonly maxRedirects?: number;
}

/**
 * `fetch` through a guarded dispatcher, following redirects by the steps of the Fetch standard (HTTP-redirect fetch), with every hop's
 * URL checked, credentials left behind at another origin, no step down from https to http, and the answer's size capped.
 */
export async function fetchGuarded(
  through: Dispatcher,
  input: string | URL | Request,
  init: RequestInit | undefined,
  limits: EgressLimits,
): Promise<Response> {
  const given = input instanceof Request ? input : undefined;
  const mode = init?.redirect ?? given?.redirect ?? 'follow';
  const signal = init?.signal ?? given?.signal ?? null;
  let url = parseUrl(given?.url ?? String(input));
  let method = (init?.method ?? given?.method ?? 'GET').toUpperCase();
  let headers = new Headers(init?.headers ?? given?.headers);
  let body = init?.body ?? given?.body ?? null;
  for (let hops = 0; ; hops++) {
    const streamed = body instanceof ReadableStream;
    const sent = {
      method,
      headers,
      body,
      signal,
      redirect: 'manual',
      dispatcher: through,
      ...(streamed ? { duplex: 'half' } : {}),
    };
    const response = await fetch(url, sent as unknown as RequestInit);
    const location = response.headers.get('location');
    if (mode === 'manual' || location === null || !redirects.has(response.status)) {
      return capped(response, url, limits.maxBytes ?? 16 * 1024 * 1024);
    }
    await response.body?.cancel();
    const refused = (why: string) => new EgressBlocked('redirect', url.host, `${url.host} redirects ${why}.`);
    if (mode === 'error' || hops >= (limits.maxRedirects ?? 5)) throw refused('too often');
    if (!URL.canParse(location, url)) throw refused('to something that is not a URL');
    const next = parseUrl(new URL(location, url));
    if (url.protocol === 'https:' && next.protocol === 'http:') throw refused('from https to http');
    const { status } = response;
    if (status === 303 ? method !== 'HEAD' && method !== 'GET' : status < 303 && method === 'POST') {
      method = 'GET';
      body = null;
      for (const name of [...headers.keys()]) if (name.startsWith('content-')) headers.delete(name);
    } else if (streamed) throw refused('a body that was streamed and cannot be sent again');
    if (next.origin !== url.origin) headers = new Headers([...headers].filter(([name]) => portable.has(name)));
    url = next;
  }
}

/** Headers that may go to another origin after a redirect; the rest, credentials under whatever name, may not. */
const portable = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);

const redirects = new Set([301, 302, 303, 307, 308]);

/** The same answer, with an error in place of what goes beyond `maxBytes`. */
function capped(response: Response, url: URL, maxBytes: number): Response {
  if (response.body === null) return response;
  let seen = 0;
  const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      seen += chunk.byteLength;
      if (seen > maxBytes) {
        throw new EgressBlocked('size', url.host, `The answer of ${url.host} is larger than ${maxBytes} bytes.`);
      }
      controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  const same = new Response(response.body.pipeThrough(counter), { status, statusText, headers });
  return Object.defineProperty(same, 'url', { value: response.url });
}
