import { expect, test } from 'vitest';
import { createSteps } from '#kernel/steps';

async function printed(isTty: boolean): Promise<string[]> {
  const texts: string[] = [];
  const step = createSteps({ stream: { write: (text) => texts.push(text.replace(/\d+\.\d s/, 'N s')) }, isTty });
  expect(
    await step(
      'Migrations',
      async () => 12,
      (count) => `${count} applied`,
    ),
  ).toBe(12);
  await step('Console', () => undefined);
  await expect(step('PostgreSQL', () => Promise.reject(new Error('no room')))).rejects.toThrow('no room');
  return texts;
}

test('without a terminal each step is one plain line', async () => {
  expect(await printed(false)).toEqual([
    'Migrations: done (12 applied) in N s\n',
    'Console: done in N s\n',
    'PostgreSQL: failed after N s\n',
  ]);
});

test('on a terminal the running step is shown and its line overwritten', async () => {
  expect(await printed(true)).toEqual([
    '\x1b[2m… Migrations\x1b[0m',
    '\r\x1b[2K\x1b[32m✓\x1b[0m Migrations (12 applied) \x1b[2mN s\x1b[0m\n',
    '\x1b[2m… Console\x1b[0m',
    '\r\x1b[2K\x1b[32m✓\x1b[0m Console \x1b[2mN s\x1b[0m\n',
    '\x1b[2m… PostgreSQL\x1b[0m',
    '\r\x1b[2K\x1b[31m✗\x1b[0m PostgreSQL \x1b[2mN s\x1b[0m\n',
  ]);
});
