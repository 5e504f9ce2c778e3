import { floodBadKeys, fuzz } from '#test/fuzz';
import { startProofWorld } from '#test/household';

/**
 * `prove fuzz`: `count` (default 24,000) mutations of valid requests to every route, then 100,000 bad API keys: no 5xx but upstreams',
 * no crash, memory flat, bounded rows.
 */
export async function prove(options: { seed: number; count?: number }): Promise<{ ok: boolean; figures: unknown }> {
  const world = await startProofWorld({ env: { LINTEL_TRUSTED_PROXY: '127.0.0.1' } });
  try {
    const count = options.count ?? 24_000;
    const say = (line: string) => void process.stdout.write(`${line}\n`);
    const mutations = await fuzz(world, { seed: options.seed, count, memory: true, say });
    const keys = await floodBadKeys(world, { seed: options.seed, count: 100_000 });
    const faults = [...mutations.faults, ...keys.faults];
    return { ok: faults.length === 0, figures: { ...mutations.figures, ...keys.figures, faults } };
  } finally {
    await world.close();
  }
}
