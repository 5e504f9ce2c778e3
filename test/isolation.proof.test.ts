import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startWorld, type World } from '#test/household';
import { plantOpenRoute, plantOpenTable, probeTables, walkRoutes, walkStreams } from '#test/isolation';
import { recipes } from '#test/recipes';

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, 120_000);
afterAll(() => world?.close());

const slow = 600_000;

describe('security', () => {
  test('every route answers another tenant as if its things did not exist', { timeout: slow }, async () => {
    const { faults, counts } = await walkRoutes(world);
    expect(faults).toEqual([]);
    expect(counts['routes']).toBe(world.t.app.routes.length);
    expect(counts['comparisons']).toBeGreaterThan(150);
  });

  test('live streams show each tenant its own alone', { timeout: slow }, async () => {
    expect((await walkStreams(world)).faults).toEqual([]);
  });

  test('unfiltered SQL as the app role sees one tenant’s rows in every table', async () => {
    const { faults, counts } = await probeTables(world);
    expect(faults).toEqual([]);
    expect(counts['tables']).toBeGreaterThan(20);
  });
});

describe('errors', () => {
  test('a route that opens the platform’s door turns it red', { timeout: slow }, async () => {
    const remove = plantOpenRoute(world);
    const only = (operationId: string) => operationId === 'agents.getAgent';
    const { faults } = await walkRoutes(world, { only });
    remove();
    expect(faults.join('\n')).toContain('agents.getAgent: /params/id of the other');
    expect((await walkRoutes(world, { only })).faults).toEqual([]);
  });

  test('a table without row-level security turns it red', async () => {
    const remove = await plantOpenTable(world);
    const { faults } = await probeTables(world);
    await remove();
    expect(faults).toContain('planted: under quorvex the app role sees 1 rows of zindlow');
  });

  test('a route without a recipe turns it red', async () => {
    const mine = recipes as Record<string, unknown>;
    const recipe = mine['agents.listAgents'];
    delete mine['agents.listAgents'];
    const { faults } = await walkRoutes(world, { only: (operationId) => operationId === 'agents.listAgents' });
    mine['agents.listAgents'] = recipe;
    expect(faults).toEqual(['agents.listAgents: there is no recipe']);
  });
});
