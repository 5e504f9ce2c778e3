import { expect, test } from 'vitest';

import { addressGroup } from '#kernel/addresses';

import { isAllowed, normalNetworks, readAllowList } from './allow-list.ts';

test.each([
  [['192.0.2.0/24'], '192.0.2.200', true],
  [['192.0.2.0/24'], '192.0.3.1', false],
  [['192.0.2.7'], '192.0.2.7', true],
  [['192.0.2.7'], '192.0.2.8', false],
  [['192.0.2.0/24'], '::ffff:192.0.2.9', true],
  [['2001:db8::/32'], '2001:db8:1::5', true],
  [['2001:db8::/32'], '2001:db9::5', false],
  [['2001:db8::/32', '10.0.0.0/8'], '10.9.9.9', true],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['10.0.0.0/8'], 'not an address', false],
])('%j allows %s: %s', (networks, ip, allowed) => {
  expect(isAllowed(readAllowList(normalNetworks(networks)), ip)).toBe(allowed);
});

test('networks are kept in their normal form, wrong ones are pointed at', () => {
  expect(normalNetworks(['10.1.2.3/8', ' 2001:DB8::1/32', '::1'])).toEqual(['10.0.0.0/8', '2001:db8::/32', '::1']);
  expect(() => normalNetworks(['10.0.0.0/8', '10.0.0.0/33'])).toThrow(
    expect.objectContaining({
      details: expect.objectContaining({ errors: [expect.objectContaining({ pointer: '/allowedIps/1' })] }),
    }),
  );
  expect(() => normalNetworks(['example.org'])).toThrow('network');
});

test('an IPv6 line counts as one address, an IPv4 address as itself', () => {
  expect(addressGroup('2001:db8:1:2:3::4')).toBe(addressGroup('2001:db8:1:2:ffff::1'));
  expect(addressGroup('2001:db8:1:3::4')).not.toBe(addressGroup('2001:db8:1:2::1'));
  expect(addressGroup('::ffff:192.0.2.1')).toBe('192.0.2.1');
});
