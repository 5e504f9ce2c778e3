import ipaddr from 'ipaddr.js';

import { invalidInput } from '#kernel/problem';

/** Networks ready to be compared with addresses. */
export type AllowList = readonly [ipaddr.IPv4 | ipaddr.IPv6, number][];

/** Reads networks in CIDR notation or single addresses. Throws for anything else. */
export function readAllowList(networks: readonly string[]): AllowList {
  return networks.map((network) => {
    if (network.includes('/')) return ipaddr.parseCIDR(network);
    const address = ipaddr.process(network);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  });
}

/** Networks in their normal form (`10.1.2.3/8` → `10.0.0.0/8`); 400 with the place of the first wrong one. */
export function normalNetworks(networks: readonly string[]): string[] {
  return networks.map((network, index) => {
    const text = network.trim();
    try {
      if (!text.includes('/')) return ipaddr.process(text).toString();
      const kind = text.includes(':') ? ipaddr.IPv6 : ipaddr.IPv4;
      return `${kind.networkAddressFromCIDR(text).toString()}/${text.split('/')[1]}`;
    } catch {
      throw invalidInput(`/allowedIps/${index}`, 'takes an address or a network such as 192.0.2.0/24');
    }
  });
}

/** Whether every one of some networks (in their normal form) lies in one of the list's. */
export function isWithin(networks: readonly string[], list: AllowList): boolean {
  return readAllowList(networks).every(([inner, innerBits]) =>
    list.some(
      ([outer, bits]) => outer.kind() === inner.kind() && bits <= innerBits && inner.match([outer, bits] as never),
    ),
  );
}

/** Whether an address lies in one of the networks. IPv4 inside IPv6 (`::ffff:192.0.2.1`) counts as IPv4. */
export function isAllowed(list: AllowList, ip: string): boolean {
  if (!ipaddr.isValid(ip)) return false;
  const address = ipaddr.process(ip);
  return list.some(([network, bits]) => network.kind() === address.kind() && address.match([network, bits] as never));
}
