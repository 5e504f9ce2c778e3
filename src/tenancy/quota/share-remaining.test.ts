import { expect, test } from 'vitest';

import { shareOf } from './share-remaining.ts';

const want = (free: number, most = 0, least = most) => ({ free, most, least });

test.each([
  ['a quarter of an equal part of what remains', want(0), 8_000, 2, 1_000],
  ['what is free counts as remaining, and as held', want(400), 7_600, 2, 600],
  ['one reservation when that is more', want(0, 3_000), 8_000, 2, 3_000],
  ['no more than what remains', want(0, 900), 900, 2, 900],
  ['nothing when the calls that wait would not fit', want(10, 900), 889, 2, 0],
  ['what the smallest one needs when the largest does not fit', want(0, 900, 50), 120, 4, 50],
  ['nothing when there is enough', want(1_000), 7_000, 2, 0],
  ['nothing when nothing remains', want(0, 5), 0, 1, 0],
  ['nothing when a lowered limit is overdrawn', want(0, 5), -20, 1, 0],
  ['what was used beyond reservations is made up for', want(-50, 100), 1_000, 4, 150],
])('%s', (_, given, remaining, nodes, share) => {
  expect(shareOf(given, remaining, nodes)).toBe(share);
});
