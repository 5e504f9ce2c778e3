import type { LogFollower } from '#kernel/follower';
import { Problem, problems } from '#kernel/problem';

/**
 * The front door's steps of freshness (house: freshness). `fresh` comes first and throws 503 when the log stands still though the
 * database answers. `within` comes when the tenant is known and throws 503 when the database is away for longer than the tenant's grace
 * (0: at once), or the installation's where the tenant has none of its own.
 */
export function freshness(
  follower: Pick<LogFollower, 'freshness'>,
  staleGraceSeconds: number,
): { fresh(): void; within(tenant: { staleGraceSeconds: number | null }): void } {
  return {
    fresh: () => {
      if (follower.freshness().state === 'stale')
        throw refusal('This node does not learn of changes at the moment and will not decide on old ones.');
    },
    within: (tenant) => {
      const { state, awayMs } = follower.freshness();
      if (state === 'away' && awayMs > (tenant.staleGraceSeconds ?? staleGraceSeconds) * 1000)
        throw refusal('The database has been away for too long.');
    },
  };
}

function refusal(detail: string): Problem {
  return new Problem(problems.unavailable, { detail, headers: { 'retry-after': '2' } });
}
