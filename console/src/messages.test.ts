import { globSync, readFileSync } from 'node:fs';

import { MessageFormat } from 'messageformat';
import { parseSync } from 'vite';
import { describe, expect, it } from 'vitest';

import en from '#messages/en.json' with { type: 'json' };
import zh from '#messages/zh-CN.json' with { type: 'json' };

const folder = import.meta.dirname;
const sources = globSync('**/*.{ts,tsx}', { cwd: folder })
  .filter((file) => !file.includes('.test.'))
  .map((file) => ({ file, text: readFileSync(`${folder}/${file}`, 'utf8') }));

/** Names of the placeholders of a message. */
function placeholders(source: string): string[] {
  return [...new Set([...source.matchAll(/\$(\w+)/g)].map(([, name]) => name as string))].sort();
}

/** User-visible literal text in a component: JSX text, and strings in the properties that people read or hear. */
export function literalTexts(file: string, text: string): string[] {
  const found: string[] = [];
  const spoken = /^(label|title|about|description|placeholder|alt|aria-label|legend|message)$/;
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const each of node) visit(each);
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    const { type, value, name } = node as { type?: string; value?: unknown; name?: { name?: unknown } };
    if (type === 'JSXText' && /\p{L}/u.test(String(value))) found.push(String(value).trim());
    if (type === 'JSXAttribute' && spoken.test(String(name?.name))) {
      const given = value as { type?: string; value?: unknown } | null;
      // A placeholder that is an example of code (an address, a pointer) is the same in every language.
      if (
        given?.type === 'Literal' &&
        /\p{L}{2}/u.test(String(given.value)) &&
        !/^[/\w.:-]*[/:][/\w.:-]*$/.test(String(given.value))
      )
        found.push(String(given.value));
    }
    for (const inner of Object.values(node)) visit(inner);
  };
  visit(parseSync(file, text).program);
  return found;
}

describe('messages', () => {
  it('have the same keys in both languages', () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  });

  it('are all filled, parse as MessageFormat 2, and take the same placeholders', () => {
    const wrong = Object.entries(en).flatMap(([key, source]) => {
      const other = (zh as Record<string, string>)[key] ?? '';
      try {
        new MessageFormat('en', source);
        new MessageFormat('zh-CN', other);
      } catch (error) {
        return [`${key}: ${String(error)}`];
      }
      if (source.trim() === '' || other.trim() === '') return [`${key}: empty`];
      return placeholders(source).join() === placeholders(other).join() ? [] : [`${key}: placeholders differ`];
    });
    expect(wrong).toEqual([]);
  });

  it('are all asked for somewhere', () => {
    const code = sources.map(({ text }) => text).join('\n');
    const prefixes = [...code.matchAll(/`([a-zA-Z.]+\.)\$\{/g)].map(([, prefix]) => prefix as string);
    const words = [...code.matchAll(/useWord\('(\w+)'\)/g)].map(([, group]) => `${group}.`);
    const unused = Object.keys(en).filter(
      (key) => !code.includes(`'${key}'`) && ![...prefixes, ...words].some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });
});

describe('problems', () => {
  const server = `${folder}/../../src`;
  const kinds = globSync('**/*.ts', { cwd: server })
    .filter((file) => !file.includes('.test.'))
    .flatMap((file) => [
      ...readFileSync(`${server}/${file}`, 'utf8').matchAll(/type: '([a-z][a-z-]*)',\s*status(?:: \d{3})?,\s*title:/g),
    ])
    .map(([, type]) => type as string);

  it('of the server all have a title in the reader’s language', () => {
    expect(kinds.length).toBeGreaterThan(50);
    expect(kinds.filter((type) => !(`problemTitle.${type}` in en))).toEqual([]);
  });
});

describe('events', () => {
  const { events } = JSON.parse(readFileSync(`${folder}/../../docs/events.json`, 'utf8')) as {
    events: { type: string }[];
  };
  const declared = events.map(({ type }) => type).sort();
  const labelled = Object.keys(en)
    .filter((key) => key.startsWith('event.'))
    .map((key) => key.slice('event.'.length));

  it('all have a name that people read, and no name is of an event that is not', () => {
    expect(declared.length).toBeGreaterThan(40);
    expect(labelled.sort()).toEqual(declared);
  });
});

describe('components', () => {
  it('hold no text of their own', () => {
    expect(sources.length).toBeGreaterThan(40);
    const found = sources
      .filter(({ file }) => file.endsWith('.tsx'))
      .flatMap(({ file, text }) => literalTexts(file, text).map((literal) => `${file}: ${literal}`));
    expect(found).toEqual([]);
  });

  it('would be caught if they did', () => {
    expect(literalTexts('a.tsx', '<p>Hello</p>')).toEqual(['Hello']);
    expect(literalTexts('a.tsx', '<p title="Hello you" id="x">{t("a")} – 1</p>')).toEqual(['Hello you']);
    expect(literalTexts('a.tsx', '<input placeholder="127.0.0.1:11434" />')).toEqual([]);
  });

  it('ask for no other host', () => {
    const found = sources.flatMap(({ file, text }) =>
      [...text.matchAll(/https?:\/\/[^\s'"`)]+/g)].map(([address]) => `${file}: ${address}`),
    );
    expect(found).toEqual([]);
  });

  it('use logical directions, so that they also read right to left', () => {
    const styles = readFileSync(`${folder}/styles.css`, 'utf8');
    const physical = /(margin|padding|border|inset)?-?(left|right)\s*:|(margin|padding)(Left|Right)|\b(left|right):\s/g;
    const found = [...sources, { file: 'styles.css', text: styles }].flatMap(({ file, text }) =>
      [...text.matchAll(physical)].map(([match]) => `${file}: ${match}`),
    );
    expect(found).toEqual([]);
  });
});
