import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

/** An operator's rule: tenant-supplied URLs may reach this private target. `tenantId` null: platform-wide. */
export interface AllowRule {
  readonly tenantId: string | null;
  /** `host:port` (a name or an address) or a CIDR, with or without a port: see {@link parseAllowTarget}. */
  readonly target: string;
}

/** A target of an {@link AllowRule}, read. */
export interface AllowTarget {
  /** A host name, lower case: whatever it resolves to is meant. */
  readonly host?: string;
  readonly cidr?: readonly [ipaddr.IPv4 | ipaddr.IPv6, number];
  /** Absent: any port. */
  readonly port?: number;
}

/**
 * Reads a target: `ollama.internal:11434`, `127.0.0.1:11434`, `[::1]:11434`, `10.20.0.0/16`, `10.20.0.0/16:8080`, `[fd00::/8]:8080`.
 * A single host needs its port, so that one service is meant and not a whole machine. Throws RangeError for anything else.
 */
export function parseAllowTarget(target: string): AllowTarget {
  const match = /^(?:\[([^\]]+)\]|([^:]+|[^:]*:[^:]*:.*\/\d+))(?::(\d{1,5}))?$/.exec(target);
  const host = (match?.[1] ?? match?.[2] ?? '').toLowerCase();
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  const [address = '', bits, more] = host.split('/');
  const version = isIP(address);
  const size = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
  const sound =
    more === undefined &&
    (port === undefined ? bits !== undefined : port > 0 && port < 65_536) &&
    (version === 0
      ? bits === undefined && hostName.test(host)
      : /^\d+$/.test(bits ?? '0') && size <= (version === 4 ? 32 : 128));
  if (!sound) {
    throw new RangeError(
      `Not an address that can be allowed: ${JSON.stringify(target.slice(0, 80))}. Expected host:port, [IPv6]:port or a CIDR such as 10.20.0.0/16.`,
    );
  }
  const where = version === 0 ? { host } : { cidr: [ipaddr.parse(address), size] as const };
  return port === undefined ? where : { ...where, port };
}

/** True when one of the targets allows this address of this host and port. Cloud metadata addresses are never allowed. */
export function isAllowed(targets: readonly AllowTarget[], host: string, address: string, port: number): boolean {
  if (privateRange(address) === 'metadata') return false;
  const ip = canonical(address);
  return targets.some(
    (target) =>
      (target.port === undefined || target.port === port) &&
      (target.host === undefined
        ? target.cidr !== undefined && target.cidr[0].kind() === ip.kind() && ip.match(target.cidr[0], target.cidr[1])
        : target.host === host),
  );
}

/**
 * Why an IP address is not on the public internet (`loopback`, `private`, `linkLocal`, `metadata` …), after the IANA special-purpose
 * address registries (RFC 6890); undefined when it is public. IPv4 inside IPv6 counts as what it is: mapped addresses and NAT64
 * (64:ff9b::/96, so that DNS64 networks work) as the IPv4 address within; 6to4, Teredo and other embeddings are refused whatever they hold.
 */
export function privateRange(address: string): string | undefined {
  const ip = canonical(address);
  if (metadata.has(ip.toString())) return 'metadata';
  const range = ip.range();
  if (range === 'rfc6052' && (ip as ipaddr.IPv6).parts[2] === 0) return privateRange(embedded(ip as ipaddr.IPv6));
  if (range !== 'unicast') return range;
  // Only 2000::/3 is global unicast (RFC 4291 §2.4): the rest, IPv4-compatible addresses (::a.b.c.d) too, is not in use.
  if (ip.kind() === 'ipv6' && ((ip as ipaddr.IPv6).parts[0] ?? 0) >> 13 !== 1) return 'reserved';
  return undefined;
}

/**
 * Addresses where clouds serve credentials to any process on the machine: AWS, Google, Azure and others; ECS tasks; Alibaba; Azure's
 * WireServer (a public address); Oracle; AWS by IPv6.
 */
const metadata = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
]);

const hostName =
  /^(?=.{1,253}$)(?!.*\.\d+$|\d+$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;

function canonical(address: string): ipaddr.IPv4 | ipaddr.IPv6 {
  return ipaddr.process(address);
}

function embedded(ip: ipaddr.IPv6): string {
  return ip.toByteArray().slice(12).join('.');
}
