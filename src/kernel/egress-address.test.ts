import { describe, expect, it } from 'vitest';

import { isAllowed, parseAllowTarget, privateRange } from '#kernel/egress-address';

describe('privateRange', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['169.254.1.1', 'linkLocal'],
    ['169.254.169.254', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['100.64.0.1', 'carrierGradeNat'],
    ['224.0.0.1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['240.0.0.1', 'reserved'],
    ['192.0.2.1', 'reserved'],
    ['198.18.0.1', 'reserved'],
    ['203.0.113.9', 'reserved'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['fe80::1', 'linkLocal'],
    ['fe80::1%eth0', 'linkLocal'],
    ['fc00::1', 'uniqueLocal'],
    ['fd00:ec2::254', 'metadata'],
    ['fd00:ec2:0:0:0:0:0:254', 'metadata'],
    ['ff02::1', 'multicast'],
    ['fec0::1', 'deprecatedSiteLocal'],
    ['2001:db8::1', 'reserved'],
    ['3fff::1', 'reserved'],
    ['100::1', 'discard'],
    ['4000::1', 'reserved'],
    // IPv4 inside IPv6.
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:a00:1', 'private'],
    ['::ffff:a9fe:a9fe', 'metadata'],
    ['::7f00:1', 'reserved'],
    ['::ffff:0:127.0.0.1', 'rfc6145'],
    ['64:ff9b::10.0.0.1', 'private'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['64:ff9b:1::8.8.8.8', 'rfc6052'],
    ['2002:7f00:1::1', '6to4'],
    ['2002:808:808::1', '6to4'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'teredo'],
  ])('%s is %s', (address, range) => {
    expect(privateRange(address)).toBe(range);
  });

  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700:4700::1111',
    '2001:4860:4860::8888',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
  ])('%s is public', (address) => {
    expect(privateRange(address)).toBeUndefined();
  });
});

describe('allow rules', () => {
  const allowed = (target: string, host: string, address: string, port: number) =>
    isAllowed([parseAllowTarget(target)], host, address, port);

  it('mean one service by address or name, or a network', () => {
    expect(allowed('127.0.0.1:11434', 'localhost', '127.0.0.1', 11434)).toBe(true);
    expect(allowed('127.0.0.1:11434', 'localhost', '::ffff:127.0.0.1', 11434)).toBe(true);
    expect(allowed('127.0.0.1:11434', 'localhost', '127.0.0.1', 5432)).toBe(false);
    expect(allowed('127.0.0.1:11434', 'localhost', '127.0.0.2', 11434)).toBe(false);
    expect(allowed('[::1]:80', 'localhost', '::1', 80)).toBe(true);
    expect(allowed('Ollama.Internal:11434', 'ollama.internal', '10.9.8.7', 11434)).toBe(true);
    expect(allowed('ollama.internal:11434', 'evil.test', '10.9.8.7', 11434)).toBe(false);
    expect(allowed('10.20.0.0/16', 'x', '10.20.255.1', 1)).toBe(true);
    expect(allowed('10.20.0.0/16', 'x', '10.21.0.1', 1)).toBe(false);
    expect(allowed('10.20.0.0/16:8080', 'x', '10.20.0.1', 8081)).toBe(false);
    expect(allowed('fd00::/8', 'x', 'fd12::1', 443)).toBe(true);
    expect(allowed('[fd00::/8]:443', 'x', 'fd12::1', 80)).toBe(false);
    expect(allowed('10.0.0.0/8', 'x', 'fd12::1', 80)).toBe(false);
  });

  it('never open the way to cloud metadata', () => {
    expect(allowed('169.254.0.0/16', 'x', '169.254.169.254', 80)).toBe(false);
    expect(allowed('169.254.169.254:80', '169.254.169.254', '169.254.169.254', 80)).toBe(false);
    expect(allowed('metadata.test:80', 'metadata.test', '::ffff:169.254.169.254', 80)).toBe(false);
    expect(allowed('0.0.0.0/0', 'x', '168.63.129.16', 80)).toBe(false);
    expect(allowed('169.254.0.0/16', 'x', '169.254.7.7', 80)).toBe(true);
  });

  it.each([
    '',
    '127.0.0.1',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    '10.0.0.0/x',
    '/8',
    'host/8',
    '::1',
    '::1:80',
    'a b:80',
    'host:0',
    'host:99999',
    'http://host:80',
    '127.1:80',
    '1.2.3:80',
    '-a:80',
    '*:80',
    '[::1]',
    '[::1/129]',
  ])('cannot be %j', (target) => {
    expect(() => parseAllowTarget(target)).toThrow(RangeError);
  });
});
