import { startProofWorld } from '#test/household';
import { plantOpenRoute, plantOpenTable, probeTables, type Walk, walkRoutes, walkStreams } from '#test/isolation';

/**
 * `prove isolation`: every route, streams and every table, with either of two tenants as the owner; then two planted violations,
 * which must be found.
 */
export async function prove(): Promise<{ ok: boolean; figures: unknown }> {
  const world = await startProofWorld();
  const counts: Record<string, Record<string, number>> = {};
  const faults: string[] = [];
  const take = (name: string, walk: Walk) => {
    counts[name] = walk.counts;
    faults.push(...walk.faults);
  };
  try {
    take('routes', await walkRoutes(world));
    take('streams', await walkStreams(world));
    take('tables', await probeTables(world));
    const turned = { ...world, a: world.b, b: world.a };
    take('routes the other way', await walkRoutes(turned));
    take('streams the other way', await walkStreams(turned));

    const removeRoute = plantOpenRoute(world);
    const only = (operationId: string) => operationId === 'agents.getAgent';
    const route = (await walkRoutes(world, { only })).faults;
    removeRoute();
    const removeTable = await plantOpenTable(world);
    const table = (await probeTables(world)).faults;
    await removeTable();
    const found = { route: route.length > 0, table: table.length > 0 };
    return {
      ok: faults.length === 0 && found.route && found.table,
      figures: { ...counts, faults, plantedFound: found },
    };
  } finally {
    await world.close();
  }
}
