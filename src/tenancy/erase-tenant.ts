import type { Doors } from '#kernel/database';
import type { Table } from '#kernel/tables';

import { eraseRows, readReferences } from './store.ts';

/**
 * Erases a tenant's rows from every table that declares `erased: 'deleted'`: what refers before what it refers to. Each table
 * is a transaction of its own, so it can be cut off at any point and run again. Returns the number of rows by table.
 */
export async function eraseTenant(
  db: Pick<Doors, 'forPlatform' | 'forService'>,
  tables: readonly Table[],
  tenantId: string,
): Promise<Record<string, number>> {
  const erasable = tables.filter((table) => table.erased === 'deleted');
  const references = await db.forPlatform(readReferences);
  const erased: Record<string, number> = {};
  for (const name of inOrder(
    erasable.map((table) => table.name),
    references,
  )) {
    const directory = erasable.find((table) => table.name === name)?.home === 'directory';
    const rows = directory
      ? await db.forService('directory', (tx) => eraseRows(tx, name, tenantId))
      : await db.forPlatform((tx) => eraseRows(tx, name, tenantId));
    if (rows > 0) erased[name] = rows;
  }
  return erased;
}

/** Table names so that each comes before every one it refers to; throws when they refer to each other in a ring. */
export function inOrder(names: readonly string[], references: readonly { from: string; to: string }[]): string[] {
  const left = new Set(names);
  const order: string[] = [];
  while (left.size > 0) {
    const free = [...left].filter((name) => !references.some((ref) => ref.to === name && left.has(ref.from)));
    if (free.length === 0) throw new Error(`These tables refer to each other in a ring: ${[...left].join(', ')}.`);
    for (const name of free) {
      left.delete(name);
      order.push(name);
    }
  }
  return order;
}
