import { expect, test } from 'vitest';

import { importsOf, judgeImport, moduleOf, readLayers, readSources } from '#test/source-map';

const layers = readLayers();
const sources = await readSources();

test('imports point down, or along an edge that layers.json names', () => {
  const imports = importsOf(sources);
  expect(imports.length).toBeGreaterThan(100);
  expect(imports.map((each) => judgeImport(each, layers)).filter((fault) => fault !== undefined)).toEqual([]);
});

test('the edges inside layers have no cycle', () => {
  const visit = (module: string, path: string[]): void => {
    expect(path, `cycle ${[...path, module].join(' → ')}`).not.toContain(module);
    for (const next of layers.edges[module] ?? []) visit(next, [...path, module]);
  };
  for (const module of Object.keys(layers.edges)) visit(module, []);
});

test('a planted violation is caught', () => {
  const plant = (file: string, specifier: string) =>
    importsOf([...sources, { file, text: `import { x } from '${specifier}';` }])
      .map((each) => judgeImport(each, layers))
      .filter((fault) => fault !== undefined);
  expect(plant('metering/planted.ts', '#platform/gateway')).toHaveLength(1);
  expect(plant('metering/planted.ts', '#tenancy')).toHaveLength(1);
  expect(plant('kernel/planted.ts', '#metering')).toHaveLength(1);
  expect(plant('platform/gateway/planted.ts', '#platform/billing')).toHaveLength(1);
  expect(plant('platform/gateway/planted.ts', '#test/database')).toHaveLength(1);
  expect(plant('tenancy/planted.ts', '#tenancy/quota')).toHaveLength(1);
  expect(plant('platform/gateway/planted.ts', '#metering')).toHaveLength(0);
});

test('each module opens only the doors that layers.json names for it', () => {
  const modules = new Set(Object.keys(layers.doors));
  const opened = (text: string) =>
    [...text.matchAll(/\.(forTenant|forPlatform|forService|inOneTrip|asService)(?:<[^>]*>)?\(\s*(?:'(\w+)')?/g)].map(
      ([, door, service]) =>
        ['forService', 'inOneTrip', 'asService'].includes(door as string) ? `forService:${service}` : (door as string),
    );
  const faults = (all: readonly { file: string; text: string }[]) =>
    all.flatMap(({ file, text }) => {
      const module = moduleOf(file, modules);
      if (module === 'kernel' || module === 'app' || module === 'program') return [];
      return opened(text)
        .filter((door) => !(layers.doors[module] ?? []).includes(door))
        .map((door) => `${file} opens ${door}`);
    });
  expect(faults(sources)).toEqual([]);
  expect(faults([{ file: 'platform/gateway/planted.ts', text: 'await db.forPlatform((tx) => 1)' }])).toHaveLength(1);
  expect(faults([{ file: 'models/planted.ts', text: "db.forService('relay', x)" }])).toHaveLength(1);
});
