import { proveBudget } from '#test/budget-proof';

/**
 * `prove budget`: a budget for a tenth of `count` (default 1,000) concurrent calls over two nodes is never overspent, and at least 95 %
 * of what it affords succeeds.
 */
export async function prove(options: { seed: number; count?: number }): Promise<{ ok: boolean; figures: unknown }> {
  const { ok, figures, failures } = await proveBudget({ seed: options.seed, count: options.count ?? 1_000 });
  return { ok, figures: { floods: figures, failures } };
}
