import { mkdir, writeFile } from 'node:fs/promises';

import { generateDocs } from '#test/generated-docs';

// Writes docs/openapi.json, docs/events.json, docs/modules.md and .env.example from the modules. Run it with the pinned runtime.
const root = new URL('../', import.meta.url);
await mkdir(new URL('docs/', root), { recursive: true });
for (const [path, text] of Object.entries(await generateDocs())) {
  await writeFile(new URL(path, root), text);
  console.log(`wrote ${path}`);
}
