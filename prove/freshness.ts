import { proveFreshness } from '#test/freshness-proof';

/**
 * `prove freshness`: on two nodes, `count` (default 50) revocations and as many calls; a revoked key is refused and its stream closed, and
 * a call is shown in the live lists, within a second at worst.
 */
export async function prove(options: { seed: number; count?: number }): Promise<{ ok: boolean; figures: unknown }> {
  const { ok, figures, failures } = await proveFreshness({ seed: options.seed, count: options.count ?? 50 });
  return { ok, figures: { ...figures, failures } };
}
