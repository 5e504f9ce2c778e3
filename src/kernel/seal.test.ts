import { mkdtemp, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { readRootKey, Sealer } from '#kernel/seal';

const sealer = new Sealer('ab'.repeat(32));
const place = { purpose: 'provider-key', tenantId: 't1', table: 'providers', column: 'key', row: 'r1' };

test('a sealed text opens where it was sealed and nowhere else', () => {
  const sealed = sealer.seal('sk-秘密', place);
  expect(sealed).toMatch(/^enc:v1:/);
  expect(sealed).not.toContain('sk-');
  expect(sealer.open(sealed, place)).toBe('sk-秘密');
  for (const part of ['purpose', 'tenantId', 'table', 'column', 'row'] as const) {
    expect(() => sealer.open(sealed, { ...place, [part]: 'other' })).toThrow();
  }
  expect(() => new Sealer('cd'.repeat(32)).open(sealed, place)).toThrow('another key');
});

test('every changed byte is noticed', () => {
  const sealed = sealer.seal('x', place);
  const bytes = Buffer.from(sealed.slice(7), 'base64url');
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] as number) ^ 1;
    expect(() => sealer.open(`enc:v1:${changed.toString('base64url')}`, place), `byte ${i}`).toThrow();
  }
  expect(() => sealer.open('plain', place)).toThrow('not a sealed text');
});

test('the root key is made once, private, and the same for two who ask at once', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'lintel-seal-')), 'a', 'root.key');
  const keys = await Promise.all([readRootKey(path), readRootKey(path), readRootKey(path)]);
  expect(new Set(keys).size).toBe(1);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readRootKey(path)).toBe(keys[0]);
});
