import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { floodBadKeys, fuzz } from '#test/fuzz';
import { startWorld, type World } from '#test/household';

const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
let world: World;

beforeAll(async () => {
  world = await startWorld({ env: { LINTEL_TRUSTED_PROXY: '127.0.0.1' } });
}, 120_000);
afterAll(() => world?.close());

describe('errors', () => {
  test(`no mutation of a valid request breaks anything (FUZZ_SEED=${seed})`, { timeout: 300_000 }, async () => {
    const count = world.t.app.routes.length * Number(process.env['FUZZ_ROUNDS'] ?? 12);
    const { faults } = await fuzz(world, { seed, count });
    expect(faults, `seed ${seed}`).toEqual([]);
  });
});

describe('security', () => {
  test('guessing keys leaves few rows', { timeout: 60_000 }, async () => {
    expect((await floodBadKeys(world, { seed, count: 3_000 })).faults).toEqual([]);
  });
});
