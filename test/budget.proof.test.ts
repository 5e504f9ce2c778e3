import { expect, inject, test } from 'vitest';

import { proveBudget } from '#test/budget-proof';

test('a budget for 20 calls, 200 at once over two nodes: never overspent, what it affords succeeds', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const { figures, failures } = await proveBudget({
    seed,
    count: 200,
    adminUrl: inject('adminUrl'),
    resources: ['tokens'],
  });
  expect(failures, `seed ${seed}, ${JSON.stringify(figures)}`).toEqual([]);
}, 180_000);
