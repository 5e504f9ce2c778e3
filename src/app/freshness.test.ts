import { expect, test } from 'vitest';

import { freshness } from './freshness.ts';

type State = { state: 'fresh' | 'stale' | 'away'; awayMs: number };

/** What the steps do of a node in a state, for a tenant's grace and the installation's, seconds. */
function passes(state: State, tenant: number | null, installation: number): boolean {
  const { fresh, within } = freshness({ freshness: () => state }, installation);
  try {
    fresh();
    within({ staleGraceSeconds: tenant });
    return true;
  } catch (error) {
    expect(error).toMatchObject({ kind: { status: 503 } });
    return false;
  }
}

test('a tenant’s own grace holds, be it shorter or longer than the installation’s', () => {
  const away = (awayMs: number): State => ({ state: 'away', awayMs });
  expect(passes(away(1), 0, 60)).toBe(false);
  expect(passes(away(4_000), 5, 60)).toBe(true);
  expect(passes(away(6_000), 5, 60)).toBe(false);
  expect(passes(away(61_000), 3600, 60)).toBe(true);
  expect(passes(away(59_000), null, 60)).toBe(true);
  expect(passes(away(61_000), null, 60)).toBe(false);
  expect(passes(away(1), null, 0)).toBe(false);
});

test('a node in sight of the log answers whatever the grace; one that reaches the database but sees no heartbeat answers nobody', () => {
  expect(passes({ state: 'fresh', awayMs: 0 }, 0, 0)).toBe(true);
  expect(passes({ state: 'stale', awayMs: 0 }, 3600, 3600)).toBe(false);
});
