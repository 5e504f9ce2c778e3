import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';

/** One import of a source file: the module it stands in and the module it names. */
export type SourceImport = { file: string; from: string; specifier: string; to: string };

/** What layers.json says: layers from the lowest up, edges allowed inside a layer, doors each module may open. */
export type Layers = { layers: string[][]; edges: Record<string, string[]>; doors: Record<string, string[]> };

/** Reads layers.json. */
export function readLayers(): Layers {
  return JSON.parse(readFileSync(new URL('../../layers.json', import.meta.url), 'utf8')) as Layers;
}

/** All source files under src/ without tests, with their text. */
export async function readSources(): Promise<{ file: string; text: string }[]> {
  const root = new URL('../../src/', import.meta.url);
  const sources: { file: string; text: string }[] = [];
  for await (const file of glob('**/*.ts', { cwd: root })) {
    if (!file.endsWith('.test.ts')) sources.push({ file, text: readFileSync(new URL(file, root), 'utf8') });
  }
  return sources.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** The module a source file stands in: the nearest folder that has a module.ts, `kernel`, `app` or `program`. */
export function moduleOf(file: string, modules: ReadonlySet<string>): string {
  if (file.startsWith('kernel/')) return 'kernel';
  if (file === 'app.ts' || file.startsWith('app/')) return 'app';
  if (file === 'main.ts' || file.startsWith('program/')) return 'program';
  const parts = file.split('/').slice(0, -1);
  for (let depth = parts.length; depth > 0; depth--) {
    const name = parts.slice(0, depth).join('/');
    if (modules.has(name)) return name;
  }
  return parts.join('/');
}

/** Every `#…` import of the sources. */
export function importsOf(sources: readonly { file: string; text: string }[]): SourceImport[] {
  const modules = new Set(
    sources.filter(({ file }) => file.endsWith('/module.ts')).map(({ file }) => file.slice(0, -'/module.ts'.length)),
  );
  return sources.flatMap(({ file, text }) =>
    [...text.matchAll(/(?:from|import)\s*\(?\s*'(#[^']+)'/g)].map((match) => {
      const specifier = match[1] as string;
      const to = specifier.startsWith('#kernel/') ? 'kernel' : specifier === '#app' ? 'app' : specifier.slice(1);
      return { file, from: moduleOf(file, modules), specifier, to };
    }),
  );
}

/** What is wrong with an import: undefined when layers.json allows it. */
export function judgeImport(
  { file, from, specifier, to }: SourceImport,
  { layers, edges }: Layers,
): string | undefined {
  if (specifier.startsWith('#test/')) return `${file} imports ${specifier}: test support is for tests`;
  if (from === to) return undefined;
  const layerOf = (module: string) => layers.findIndex((layer) => layer.includes(module.split('/')[0] as string));
  const [here, there] = [layerOf(from), layerOf(to)];
  if (here === -1 || there === -1) return `${file}: ${here === -1 ? from : to} stands in no layer`;
  if (there < here) return undefined;
  if (there === here && (edges[from] ?? []).includes(to)) return undefined;
  return `${file} imports ${specifier}: ${from} may not know ${to}`;
}
