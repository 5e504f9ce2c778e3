import { expect, test } from 'vitest';

import { proveCrash } from '#test/crash-proof';

test('six SIGKILLs under load, then the database away for 5 s: what was answered is billed once, runs end, effects happen once', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const { figures, failures } = await proveCrash({ seed, count: 6, each: 0, awaySeconds: 5 });
  expect(failures, `seed ${seed}, ${JSON.stringify(figures)}`).toEqual([]);
  expect(figures.calls.answered).toBeGreaterThan(0);
}, 600_000);
