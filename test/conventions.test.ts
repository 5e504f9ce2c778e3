import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../', import.meta.url);

/** Not grouped so: it proves one thing, that two starts do not disturb each other. Only ever to be shortened. */
const ungrouped = ['src/program/two-starts.http.test.ts'];

/** What a test of the whole app lacks of its three blocks, and whether a test of it stands outside any block. */
function faultsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^describe(?:\.each\(.*\))?\('([^']+)'/gm)].map(([, name]) => name);
  const lacking = ['happy', 'errors', 'security'].filter((name) => !blocks.includes(name));
  return [...lacking, ...(/^(?:test|it)\b/m.test(text) ? ['a test outside the blocks'] : [])];
}

test('every test of the whole app has the blocks happy, errors and security', () => {
  const files = globSync('{src,test}/**/*.http.test.ts', { cwd: root.pathname })
    .filter((file) => !ungrouped.includes(file))
    .toSorted();
  expect(files.length).toBeGreaterThan(15);
  const faults = files
    .map((file) => [file, faultsOf(readFileSync(new URL(file, root), 'utf8'))] as const)
    .filter(([, lacking]) => lacking.length > 0);
  expect(Object.fromEntries(faults)).toEqual({});
});

test('a block that lacks is found', () => {
  expect(faultsOf("describe('happy', () => {});\ndescribe('errors', () => {});\ntest('x', () => {});")).toEqual([
    'security',
    'a test outside the blocks',
  ]);
});
