import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';

import { Sealer } from '#kernel/seal';

import { KeyFormat, keyPattern } from './key-format.ts';
import { Tokens } from './tokens.ts';

const sealer = new Sealer('42'.repeat(32));
const format = new KeyFormat(sealer);

test('a minted key has the published form, a good MAC and a good CRC-32, and no two are the same', () => {
  const keys = Array.from({ length: 200 }, (_, i) => format.mint(i % 2 === 0 ? 'live' : 'test'));
  expect(new Set(keys).size).toBe(200);
  for (const key of keys) {
    expect(key).toMatch(new RegExp(keyPattern));
    expect(format.isOurs(key)).toBe(true);
    expect(format.hash(key)).toBe(sealer.hmac('api-key', key));
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    const value = [...key.slice(-6)].reduce((sum, digit) => sum * 62 + digits.indexOf(digit), 0);
    expect(value).toBe(crc32(key.slice(0, -6)));
  }
});

test('a key with one character of its random part or MAC changed, or of another installation, is not ours', () => {
  const key = format.mint('live');
  for (let at = 8; at < 48; at++) {
    const changed = `${key.slice(0, at)}${key[at] === 'x' ? 'y' : 'x'}${key.slice(at + 1)}`;
    expect(format.isOurs(changed)).toBe(false);
  }
  expect(format.isOurs(key.replace('lt_live_', 'lt_test_'))).toBe(false);
  expect(new KeyFormat(new Sealer('43'.repeat(32))).isOurs(key)).toBe(false);
  for (const text of ['', 'lt_live_', `${key}x`, key.slice(1), 'sk-123']) expect(format.isOurs(text)).toBe(false);
});

test('a token is good for its purpose only', () => {
  const tokens = new Tokens(sealer);
  const token = tokens.mint('login');
  expect(tokens.isOurs('login', token)).toBe(true);
  expect(tokens.isOurs('session', token)).toBe(false);
  expect(tokens.isOurs('login', `${token[0] === 'A' ? 'B' : 'A'}${token.slice(1)}`)).toBe(false);
  expect(tokens.isOurs('login', '')).toBe(false);
});
