import type pg from 'pg';
import { parse } from 'pg-connection-string';

/** One server of an address, as `pg` takes it. */
type Server = pg.ClientConfig & { host: string; port: number };

/** How connections to an address are made: on this machine, by verified TLS, or in clear over a network. */
export type Transport = 'local' | 'verified' | 'clear';

/**
 * The servers that `postgres://user:pw@a:1,b:2/db?…` names; `pg` itself takes no address with several. Whatever is not on this machine
 * is spoken to by TLS with a verified certificate, unless `sslmode=disable` says otherwise; `require`, `verify-ca` and `verify-full`
 * all verify it and the name in it. Throws for an `sslmode` that would let the server choose, and for one that is none.
 */
export function readServers(url: string): [Server, ...Server[]] {
  const match = /^(postgres(?:ql)?:\/\/(?:[^@/]*@)?)([^/?]*)(.*)$/.exec(url);
  if (match === null) throw new Error('is not a PostgreSQL address');
  const [, head, hosts = '', tail] = match;
  return hosts.split(',').map((host) => readServer(`${head}${host}${tail}`)) as [Server, ...Server[]];
}

/** The least safe way in which a server of this address is spoken to. */
export function transportOf(url: string): Transport {
  const ways = readServers(url).map(({ host, ssl }) =>
    ssl !== false ? 'verified' : isLocal(host) ? 'local' : 'clear',
  );
  return (['clear', 'local', 'verified'] as const).find((way) => ways.includes(way)) as Transport;
}

function readServer(address: string): Server {
  const mode = /[?&]sslmode=([^&]*)/.exec(address)?.[1];
  const parsed = parse(address.replace(/([?&])sslmode=[^&]*&?/, '$1').replace(/[?&]$/, ''));
  const host = (parsed.host || 'localhost').replace(/^\[(.*)\]$/, '$1');
  const { ssl } = parsed;
  return {
    host,
    port: parsed.port ? Number(parsed.port) : 5432,
    ...(parsed.user === undefined ? {} : { user: parsed.user }),
    ...(parsed.password === undefined ? {} : { password: parsed.password }),
    ...(parsed.database ? { database: parsed.database } : {}),
    ssl: isVerified(mode, host) && { rejectUnauthorized: true, ...(typeof ssl === 'object' ? (ssl as object) : {}) },
  };
}

function isVerified(mode: string | undefined, host: string): boolean {
  if (mode === undefined) return !isLocal(host);
  if (mode === 'disable') return false;
  if (mode === 'require' || mode === 'verify-ca' || mode === 'verify-full') return true;
  throw new Error(
    `has sslmode=${mode}: Lintel verifies the server (verify-full, which is meant where nothing is said), or speaks in clear where it is told to (disable)`,
  );
}

function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
