import type { Arrival } from '#kernel/front-door';
import { Problem } from '#kernel/problem';

import { problems } from './problems.ts';

/** Name of the session cookie: on plain http (loopback only) browsers take no `__Host-` cookie. */
export function cookieName(secure: boolean): string {
  return secure ? '__Host-lintel' : 'lintel';
}

/** The value of the session cookie, or undefined. */
export function readCookie(arrival: Pick<Arrival, 'headers' | 'secure'>): string | undefined {
  const header = arrival.headers['cookie'];
  if (typeof header !== 'string') return undefined;
  const name = `${cookieName(arrival.secure)}=`;
  return header
    .split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(name))
    ?.slice(name.length);
}

/** The `Set-Cookie` header that gives the browser a session, or takes it away when there is no token. */
export function sessionCookie(secure: boolean, token: string | undefined, maxAgeSeconds: number): string {
  const rest = `Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
  return token === undefined
    ? `${cookieName(secure)}=; ${rest}; Max-Age=0`
    : `${cookieName(secure)}=${token}; ${rest}; Max-Age=${maxAgeSeconds}`;
}

/** 403 unless the request came by https or is this machine's own: a session must not cross a network in the clear. */
export function requireSafeTransport(arrival: Pick<Arrival, 'secure' | 'host'>): void {
  if (arrival.secure || isLoopback(arrival.host)) return;
  throw new Problem(problems.tlsNeeded, {
    detail:
      'Over plain http only this machine itself (localhost) may sign in. Put Lintel behind https; if a proxy in front of it ' +
      'already ends TLS, name the proxy with --trusted-proxy (LINTEL_TRUSTED_PROXY) so that its X-Forwarded-Proto is believed.',
  });
}

/**
 * 403 when a browser says that a write comes from another site (RFC 6454 Origin, Fetch Metadata). `proof: 'needed'` also
 * refuses a request that says nothing, as one that rides on a cookie must not.
 */
export function requireSameOrigin(arrival: Arrival, proof: 'needed' | 'if sent'): void {
  const { origin, 'sec-fetch-site': site } = arrival.headers;
  const own = `${arrival.secure ? 'https' : 'http'}://${arrival.host}`;
  if (origin === own) return;
  if (origin === undefined && (site === 'same-origin' || (site === undefined && proof === 'if sent'))) return;
  throw new Problem(problems.wrongOrigin, {
    detail: `A change made with a session must come from ${own}${typeof origin === 'string' ? `, not ${origin.slice(0, 200)}` : ''}. Programs use an API key.`,
  });
}

function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
}
