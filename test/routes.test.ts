import Type from 'typebox';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Route, route } from '#kernel/http';
import type { Permission } from '#kernel/module';
import { startTestApp, type TestApp } from '#test/app';
import { moreRecipes, recipes } from '#test/recipes';
import { routeFaults } from '#test/route-walk';

let t: TestApp;
let routes: readonly Route[];
let permissions: Permission[];

beforeAll(async () => {
  t = await startTestApp();
  routes = t.app.routes;
  permissions = t.app.modules.flatMap((module) => module.permissions ?? []);
});
afterAll(() => t.close());

test('every route has its operation, its schemas and its permission', () => {
  expect(routes.length).toBeGreaterThan(100);
  expect(routeFaults(routes, permissions)).toEqual([]);
});

test('every route of the server comes from a module or the kernel', async () => {
  const { paths } = (await t.call(undefined, 'GET', '/openapi.json')).body as unknown as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  const served = Object.values(paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  );
  expect(served.toSorted()).toEqual(routes.map(({ operationId }) => operationId).toSorted());
});

test('every permission of the vocabulary is asked for somewhere', () => {
  const byHandlers = ['models:invoke'];
  const asked = new Set([...routes.map(({ permission }) => permission), ...byHandlers]);
  expect(permissions.map(({ name }) => name).filter((name) => !asked.has(name))).toEqual([]);
});

test('every route has a recipe, every recipe a route', () => {
  const operations = routes.map(({ operationId }) => operationId);
  expect(operations.filter((operation) => recipes[operation] === undefined)).toEqual([]);
  expect(Object.keys({ ...recipes, ...moreRecipes }).filter((operation) => !operations.includes(operation))).toEqual(
    [],
  );
});

test('planted faults are found', () => {
  const planted = (more: Partial<Route>): string[] =>
    routeFaults(
      [
        ...routes,
        {
          ...route({
            method: 'POST',
            path: '/v1/planted',
            operationId: 'planted.make',
            summary: 'Planted.',
            area: 'tenant',
            permission: 'agents:create',
            schema: { response: { 201: Type.Object({}) } },
            handle: () => ({}),
          }),
          ...more,
        },
      ],
      permissions,
    );
  const response = { 200: Type.Object({}) };
  expect(planted({})).toEqual([]);
  for (const fault of [
    { operationId: 'agents.createAgent' },
    { operationId: 'planted_make' },
    { permission: null },
    { permission: 'planets:read' as const },
    { permission: 'platform-calls:read' as const },
    { path: '/v1/platform/planted' },
    { path: '/planted' },
    { path: '/v1/tenants/:tenantId/planted', schema: { params: Type.Object({ tenantId: Type.String() }), response } },
    { path: '/v1/planted/:id' },
    { area: 'platform' as const },
    { schema: { response: {} } },
    { schema: { body: Type.Object({ a: Type.Object({}) }, { additionalProperties: false }), response } },
    { schema: { body: Type.Object({}), response } },
  ])
    expect(planted(fault), JSON.stringify(fault)).not.toEqual([]);
  const odd: Permission[] = [
    ...permissions,
    { name: 'planets:destroy' as 'planets:read', risk: 'low', area: 'tenant' },
  ];
  expect(routeFaults(routes, odd)).not.toEqual([]);
});
