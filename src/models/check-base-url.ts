import { isIP } from 'node:net';

import type { Egress } from '#kernel/egress';
import { type AllowRule, isAllowed, parseAllowTarget } from '#kernel/egress-address';
import { EgressBlocked } from '#kernel/egress-url';
import { invalidInput } from '#kernel/problem';
import { platformTenantId } from '#tenancy';

/** The base address of a provider in its stored form: http(s), no credentials, query or fragment, no slash at the end. 400 otherwise. */
export function checkBaseUrl(text: string): string {
  if (text === '') throw invalidInput('/baseUrl', 'is needed for this preset');
  if (!URL.canParse(text)) throw invalidInput('/baseUrl', 'is not an absolute address');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw invalidInput('/baseUrl', 'takes https or http');
  if (url.username !== '' || url.password !== '')
    throw invalidInput('/baseUrl', 'may hold no user name or password: the key has its own field');
  if (url.search !== '' || url.hash !== '') throw invalidInput('/baseUrl', 'may hold no query or fragment');
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/**
 * Makes the check of where a provider's key would be sent. Operators may name any address. A tenant's must be public or allowed by
 * the operator, and plain http only where the operator's rule names the host: a key never crosses the internet in the clear.
 */
export function addressCheck(
  egress: Pick<Egress, 'check'>,
  allow: () => readonly AllowRule[],
): (tenantId: string, baseUrl: string) => Promise<void> {
  return async (tenantId, baseUrl) => {
    if (tenantId === platformTenantId) return;
    try {
      await egress.check(tenantId, baseUrl);
    } catch (error) {
      if (error instanceof EgressBlocked) throw invalidInput('/baseUrl', error.message);
      // A name that does not resolve at this moment is shown by the connection test.
    }
    const url = new URL(baseUrl);
    if (url.protocol === 'https:') return;
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    const port = Number(url.port || 80);
    const rules = allow()
      .filter((rule) => rule.tenantId === null || rule.tenantId === tenantId)
      .map((rule) => parseAllowTarget(rule.target));
    const named = rules.some((rule) => rule.host === host && (rule.port === undefined || rule.port === port));
    if (!named && !(isIP(host) !== 0 && isAllowed(rules, host, host, port)))
      throw invalidInput('/baseUrl', 'takes https; plain http only for addresses that the operator allows');
  };
}
