import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { Spool } from './spool.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lintel-spool-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function open(maxBytes = 1_000_000): Promise<Spool> {
  const spool = new Spool({ folder, owner: 'test', maxBytes });
  await spool.open();
  return spool;
}

test('what is appended is read back, whatever it contains; the next process counts what is there', async () => {
  const texts = [{ a: 'line\nbreak' }, { b: '门楣 "quoted" \u2028' }, {}].map((each) => JSON.stringify(each));
  const spool = await open();
  await Promise.all([spool.append(texts.slice(0, 2)), spool.append(texts.slice(2))]);
  expect(await spool.closed()).toEqual([]);
  await spool.rotate();
  const next = await open();
  expect(next.bytes).toBe(spool.bytes);
  const [name] = await next.closed();
  expect(await next.read(name as string)).toEqual({ lines: texts, damaged: [], torn: false });
  await next.remove(name as string, []);
  expect(next.bytes).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

test('a file cut at any byte gives its whole lines and nothing else', async () => {
  const spool = await open();
  const texts = ['{"n":1}', '{"n":"zwei"}', '{"n":[3]}'];
  await spool.append(texts);
  await spool.rotate();
  const [name] = await spool.closed();
  const path = join(folder, name as string);
  const whole = await readFile(path);
  for (let length = 0; length <= whole.length; length++) {
    await writeFile(path, whole.subarray(0, length));
    const { lines, damaged } = await spool.read(name as string);
    expect(damaged).toEqual([]);
    expect(texts.slice(0, lines.length)).toEqual(lines);
    // A last line that only lacks its line break is whole.
    const breaks = whole.subarray(0, length).toString().split('\n').length - 1;
    expect(lines.length - breaks).toBeLessThanOrEqual(1);
    expect(lines.length).toBeGreaterThanOrEqual(breaks);
  }
});

test('a segment that is being made is never taken for a closed one', async () => {
  const spool = await open();
  for (let n = 0; n < 40; n++) {
    await spool.rotate();
    const before = await spool.closed();
    const kept = spool.append(['{"n":1}']);
    const during: string[] = [];
    for (let look = 0; look < 6; look++) during.push(...(await spool.closed()));
    await kept;
    expect(during.filter((name) => !before.includes(name))).toEqual([]);
  }
});

test('a full spool and a disk that cannot be written are a 503, and what was kept stays readable', async () => {
  const spool = await open(60);
  await spool.append(['{"n":1}']);
  await expect(spool.append([JSON.stringify({ long: 'x'.repeat(60) })])).rejects.toMatchObject({
    kind: { status: 503, type: 'spool-full' },
  });
  await spool.append(['{"n":2}']);
  await spool.rotate();
  const [name] = await spool.closed();
  expect((await spool.read(name as string)).lines).toEqual(['{"n":1}', '{"n":2}']);
  await rm(folder, { recursive: true });
  await expect(spool.append(['{}'])).rejects.toMatchObject({ kind: { status: 503 } });
});
