import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const exists = (path: string) => existsSync(new URL(path, root));

const documents = [
  ...globSync('*.md', { cwd: root.pathname }),
  ...globSync('docs/*.md', { cwd: root.pathname }),
  ...globSync('docs/adr/*.md', { cwd: root.pathname }),
].toSorted();
const sources = globSync('{src,test,console/src,sdk,scripts,bench,prove}/**/*.{ts,tsx,mjs,sql}', {
  cwd: root.pathname,
  exclude: (path) => path.includes('node_modules') || path.endsWith('named-in-docs.test.ts'),
});
const texts = new Map(sources.map((path) => [path, read(path)]));
const basenames = new Set(sources.map((path) => basename(path)));
const operations = new Set(
  Object.values((JSON.parse(read('docs/openapi.json')) as { paths: Record<string, Record<string, unknown>> }).paths)
    .flatMap((item) => Object.values(item))
    .map((operation) => (operation as { operationId?: string }).operationId),
);

/** Files of the example in CONTRIBUTING that a reader is to make. */
const toBeMade = /^(?:src\/platform\/notes|console\/src\/features\/notes)\b/;

/** What a document names in code marks, outside its blocks of code. */
function marked(text: string): string[] {
  return [...text.replaceAll(/^ *```.*?^ *```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code as string);
}

/** Paths that a text names, of folders in the repository. */
function pathsIn(text: string): string[] {
  const found = text.matchAll(/(?<![\w./<#-])(?:src|test|docs|scripts|console|sdk|bench|prove|\.ci)\/[\w./-]*\w/g);
  return [...found].map(([path]) => path).filter((path) => !toBeMade.test(path));
}

/** Why a name in a document is wrong; undefined when it is right, or names nothing of the code. */
function faultOf(name: string): string | undefined {
  const inSource = /^(?:kernel|metering|tenancy|security|delivery|models|agents|platform|program|app)\/[\w./-]+$/;
  if (inSource.test(name)) return exists(`src/${name}`) ? undefined : `src/${name} does not exist`;
  if (/^[\w-]+\.(?:ts|tsx|mjs|sql)$/.test(name)) return basenames.has(name) ? undefined : `there is no file ${name}`;
  const imported = /^#(kernel|test)\/([\w./-]+)$/.exec(name);
  if (imported !== null)
    return exists(`${imported[1] === 'test' ? 'test/support' : 'src/kernel'}/${imported[2]}.ts`)
      ? undefined
      : `there is no ${name}`;
  if (/^[a-z]+[A-Z]\w*$/.test(name))
    return [...texts.values()].some((text) => new RegExp(`\\b${name}\\b`).test(text))
      ? undefined
      : `nothing is called ${name}`;
  const method = /^([A-Z][A-Za-z]+)\.([a-z]\w+)$/.exec(name);
  if (method !== null) {
    const [, type, member] = method;
    const [file, text] =
      [...texts].find(([, each]) => new RegExp(`^export (?:class|type|interface) ${type}\\b`, 'm').test(each)) ?? [];
    if (text === undefined) return `there is no ${type}`;
    return new RegExp(`^  (?:async |get |\\*)*${member}\\b`, 'm').test(text) ? undefined : `${file} has no ${member}`;
  }
  const areas = /^(?:auth|rbac|audit|tenancy|quota|metering|models|agents|billing|console|gateway)\.[a-z]\w+$/;
  if (areas.test(name)) return operations.has(name) ? undefined : `there is no operation ${name}`;
  return undefined;
}

/** What is wrong in the names of a document. */
function faultsOf(document: string): string[] {
  // Folders that the design asks for and that are not there are looked at below; `Class.method` says how names are written.
  const text = document.replaceAll(/^Folder `.*: does not exist yet\.$/gm, '').replaceAll('`Class.method`', '');
  const prose = text.replaceAll(/^ *```.*?^ *```/gms, '');
  const links = [...prose.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link]) => link as string);
  return [
    ...marked(text).flatMap((name) => faultOf(name) ?? []),
    ...pathsIn(prose.replaceAll(/\]\([^)]*\)/g, ']')).flatMap((path) =>
      exists(path) ? [] : [`${path} does not exist`],
    ),
    ...links.filter((link) => !exists(link) && !exists(`docs/${link}`)).map((link) => `the link ${link} leads nowhere`),
  ];
}

test.each(documents)('%s: the files, methods, operations and links that it names exist', (document) => {
  expect(faultsOf(read(document))).toEqual([]);
});

test('names that lead nowhere are found', () => {
  expect(
    faultsOf(
      '`kernel/no.ts` `no-such-file.ts` `QuotaManager.fly` `quota.fly` `flyAway` `#test/no` src/no/where.ts [x](docs/no.md) `main.ts`',
    ),
  ).toHaveLength(8);
});

test('the design map counts what it lists, and the READMEs say the same', () => {
  const map = read('docs/design-map.md');
  const rows = [...map.matchAll(/^\| `\w+` \| (\*\*works\*\*|not yet) \|/gm)].map(([, state]) => state);
  const works = rows.filter((state) => state === '**works**').length;
  expect(map).toContain(`${works} of ${rows.length} work.`);
  expect(map).toContain(`with ${rows.length} methods`);
  for (const [line] of map.matchAll(/^\| `\w+` \| \*\*works\*\*.*$/gm)) expect(line).toMatch(/`src\/[\w./-]+\.ts`/);
  expect(read('README.md')).toContain(`${works} of ${rows.length}`);
  expect(read('README.zh-CN.md')).toContain(`${rows.length} 个中的 ${works} 个`);
  for (const [, folder, rest] of map.matchAll(/^Folder `([^`]+)`(.*)$/gm))
    expect([folder, exists(folder as string)]).toEqual([folder, !String(rest).includes('does not exist yet')]);
});

test('both READMEs have the same figures, links and variables', () => {
  const of = (document: string, what: RegExp) => [...read(document).matchAll(what)].map(([found]) => found).toSorted();
  const figures = /\d+(?:[.,]\d+)*/g;
  const names = /\]\((?:https?:[^)]*|[^)]*\.(?:md|json|example))\)|\b(?:LINTEL|DATABASE)_[A-Z_]+|--[a-z-]+\b/g;
  for (const what of [figures, names]) {
    const [en, zh] = ['README.md', 'README.zh-CN.md'].map((document) => of(document, what));
    expect(en?.length).toBeGreaterThan(20);
    expect(zh?.filter((each) => each !== '](README.md)')).toEqual(en?.filter((each) => each !== '](README.zh-CN.md)'));
  }
});
