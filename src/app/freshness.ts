import type { LogFollower } from '#kernel/follower';
import { Problem, problems } from '#kernel/problem';

/**
 * The front door's first step (house: freshness). Throws 503 when the log stands still though the database answers, or when the
 * database is away for longer than the grace (0: at once).
 */
export function freshStep(follower: LogFollower, staleGraceSeconds: number): () => void {
  return () => {
    const { state, awayMs } = follower.freshness();
    if (state === 'fresh') return;
    if (state === 'away' && awayMs <= staleGraceSeconds * 1000) return;
    throw new Problem(problems.unavailable, {
      detail:
        state === 'stale'
          ? 'This node does not learn of changes at the moment and will not decide on old ones.'
          : 'The database has been away for too long.',
      headers: { 'retry-after': '2' },
    });
  };
}
