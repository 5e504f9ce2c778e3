import { expect, test } from 'vitest';

import { generateDocs, outdatedDocs } from '#test/generated-docs';

test('the generated documents are those of the code', async () => {
  const docs = await generateDocs();
  expect(
    await outdatedDocs(docs),
    'Run "node_modules/.bin/node scripts/generate-docs.ts" and commit what it writes.',
  ).toEqual([]);
  expect(await outdatedDocs({ ...docs, 'docs/openapi.json': `${docs['docs/openapi.json']} ` })).toEqual([
    'docs/openapi.json',
  ]);
});

test('they hold every module, route and variable', async () => {
  const docs = await generateDocs();
  const { openapi, paths } = JSON.parse(docs['docs/openapi.json'] ?? '') as { openapi: string; paths: object };
  expect(openapi).toMatch(/^3\.1\./);
  expect(Object.keys(paths).length).toBeGreaterThan(70);
  const operations = Object.values(paths).flatMap((item) =>
    Object.values(item as Record<string, { responses: object }>),
  );
  for (const { responses } of operations)
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['4XX', '5XX']));
  expect(docs['docs/modules.md']).toContain('## tenancy/quota');
  expect(docs['docs/events.json']).toContain('tenancy.tenant.created');
  expect(docs['.env.example']).toContain('# DATABASE_URL=');
});
