/** Why a request was not sent, or its answer not read. */
export type EgressReason = 'url' | 'scheme' | 'credentials' | 'address' | 'redirect' | 'size';

/** Thrown instead of letting a tenant-supplied URL reach where it must not. The message may be shown to the tenant: it names no address. */
export class EgressBlocked extends Error {
  readonly reason: EgressReason;
  /** Host and port, for the log. */
  readonly host: string;
  /** The address the host resolved to, for operators only: it would tell a tenant about the inside of the network. */
  readonly address: string | undefined;

  constructor(reason: EgressReason, host: string, message: string, address?: string) {
    super(message);
    this.name = 'EgressBlocked';
    this.reason = reason;
    this.host = host;
    this.address = address;
  }
}

/**
 * Reads a URL that may be called, or throws {@link EgressBlocked}. The WHATWG parser settles odd spellings of IPv4 addresses (octal, hex,
 * short, one number) and of names, so that what is checked is what is called.
 */
export function parseUrl(text: string | URL): URL {
  if (!URL.canParse(String(text))) throw new EgressBlocked('url', '', 'Not an absolute URL.');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EgressBlocked('scheme', url.host, `Only http and https addresses may be called, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new EgressBlocked(
      'credentials',
      url.host,
      `The URL of ${url.host} holds a user name or password; send them in a header.`,
    );
  }
  return url;
}

/** The host as resolvers take it: lower case, without the brackets of IPv6 and the dot that ends an absolute name. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}
