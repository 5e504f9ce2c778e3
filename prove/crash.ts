import { proveCrash } from '#test/crash-proof';

/**
 * `prove crash`: at least `count` (default 60) seeded SIGKILLs of fronts, background and the postmaster under load, at named points of
 * calls and runs, until each point was hit three times with each victim; then the database is away for 30 s.
 */
export async function prove(options: { seed: number; count?: number }): Promise<{ ok: boolean; figures: unknown }> {
  const { ok, figures, failures } = await proveCrash({
    seed: options.seed,
    count: options.count ?? 60,
    each: 3,
    awaySeconds: 30,
    say: (line) => void process.stdout.write(`${line}\n`),
  });
  return { ok, figures: { ...figures, failures } };
}
