import ipaddr from 'ipaddr.js';

/** The part of an address that one customer line stands for: all of an IPv4, the /64 of an IPv6. Throttles and refusals count by it. */
export function addressGroup(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip.slice(0, 64);
  const address = ipaddr.process(ip);
  if (address.kind() === 'ipv4') return address.toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/64`).toString()}/64`;
}
