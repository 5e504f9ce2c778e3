import { readFile } from 'node:fs/promises';

import { type App, allSettings, createApp, readAppConfig } from '#app';
import { envExample } from '#kernel/config';
import { createConnector } from '#kernel/database-connector';
import { createLogger } from '#kernel/logger';
import { type Layers, readLayers } from '#test/source-map';

/** The documents that are made from the code, by their path in the repository. */
export type GeneratedDocs = Readonly<Record<string, string>>;

const root = new URL('../../', import.meta.url);

/** Makes every generated document from the modules as they are; opens no connection. */
export async function generateDocs(): Promise<GeneratedDocs> {
  const app = await createApp({
    role: 'setup',
    config: readAppConfig({}),
    connector: createConnector('postgres://nobody@127.0.0.1:1/none', 'lintel-docs'),
    rootKey: '00'.repeat(32),
    log: createLogger('silent'),
    baseUrl: 'http://127.0.0.1',
  });
  try {
    await app.server.ready();
    return {
      'docs/openapi.json': json(app.server.swagger()),
      'docs/events.json': json(eventsOf(app)),
      'docs/modules.md': modulesText(app, readLayers()),
      '.env.example': `# Generated from the modules' settings. Every line is optional.\n\n${envExample(allSettings)}`,
    };
  } finally {
    await app.close();
  }
}

/** Which documents are not as they would be generated. */
export async function outdatedDocs(docs: GeneratedDocs): Promise<string[]> {
  const outdated: string[] = [];
  for (const [path, wanted] of Object.entries(docs)) {
    const present = await readFile(new URL(path, root), 'utf8').catch(() => undefined);
    if (present !== wanted) outdated.push(path);
  }
  return outdated;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function eventsOf(app: App): object {
  const events = app.modules.flatMap((module) => module.events ?? []);
  return {
    description:
      'Types of the events that modules append to the log, by module. Changes are additive; what would break a reader is a new version.',
    events: events.toSorted((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : a.version - b.version)),
  };
}

function modulesText(app: App, layers: Layers): string {
  const folders = Object.keys(layers.doors).toSorted();
  const nameOf = (folder: string) => folder.split('/').at(-1) as string;
  const lines = [
    '# Modules',
    '',
    'Generated from the modules and `layers.json` by `node scripts/generate-docs.ts`. Do not edit.',
    '',
    'Imports point down; inside a layer only along the drawn edges.',
    '',
    '```mermaid',
    'flowchart TD',
    ...layers.layers.toReversed().flatMap((layer, i) => {
      const inside = folders.filter((folder) => layer.includes(folder.split('/')[0] as string));
      const shown = inside.length > 0 ? inside : layer;
      return [
        `  subgraph layer${i}["${layer.join(', ')}"]`,
        ...shown.map((folder) => `    ${id(folder)}["${folder}"]`),
        '  end',
      ];
    }),
    ...layers.layers.slice(1).map((_, i) => `  layer${i} ~~~ layer${i + 1}`),
    ...Object.entries(layers.edges).flatMap(([from, to]) => to.map((each) => `  ${id(from)} --> ${id(each)}`)),
    '```',
    '',
  ];
  for (const folder of folders) {
    const module = app.modules.find(({ name }) => name === nameOf(folder));
    lines.push(`## ${folder}`, '');
    const doors = layers.doors[folder] ?? [];
    lines.push(`Doors: ${doors.length === 0 ? 'none' : doors.map(code).join(', ')}`, '');
    if (module === undefined) continue;
    const { routes = [], tables = [], events = [], permissions = [] } = module;
    if (routes.length > 0) {
      lines.push('| operation | route | permission |', '|---|---|---|');
      for (const { operationId, method, path, permission, summary } of routes)
        lines.push(
          `| \`${operationId}\`: ${summary.replaceAll('|', '\\|')} | \`${method} ${path}\` | ${permission === null ? '' : code(permission)} |`,
        );
      lines.push('');
    }
    if (tables.length > 0) {
      lines.push('| table | home | kept | erased with its tenant |', '|---|---|---|---|');
      for (const { name, home, kept, erased } of tables) lines.push(`| \`${name}\` | ${home} | ${kept} | ${erased} |`);
      lines.push('');
    }
    if (events.length > 0) lines.push(`Events: ${events.map(({ type }) => code(type)).join(', ')}`, '');
    if (permissions.length > 0) lines.push(`Permissions: ${permissions.map(({ name }) => code(name)).join(', ')}`, '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function id(folder: string): string {
  return folder.replaceAll('/', '_');
}

function code(text: string): string {
  return `\`${text}\``;
}
