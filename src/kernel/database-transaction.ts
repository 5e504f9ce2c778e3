import type pg from 'pg';

import type { Service, Tx } from '#kernel/database';
import { toRow } from '#kernel/database-rows';
import { requireUuid } from '#kernel/ids';

/** The SQL that opens a tenant's door inside a transaction. */
export function tenantDoor(tenantId: string): string {
  return `SET LOCAL ROLE lintel_app; SET LOCAL app.tenant_id = '${requireUuid(tenantId)}'`;
}

/** The SQL that opens a service's door inside a transaction. */
export function serviceDoor(service: Service): string {
  return `SET LOCAL ROLE lintel_${service}`;
}

/** An open transaction on a connection, behind a door. */
export function transactionOf(client: pg.PoolClient, door: string): Tx {
  const rows = async <Row>(query: pg.QueryConfig): Promise<Row[]> => {
    const result = await client.query(query);
    return result.rows.map(toRow) as Row[];
  };
  const tx: Tx = {
    query: <Row>(text: string, values: readonly unknown[] = []) => rows<Row>({ text, values: [...values] }),
    maybe: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await rows<Row>({ text, values: [...values] }))[0],
    one: async <Row>(text: string, values: readonly unknown[] = []) => {
      const [row] = await rows<Row>({ text, values: [...values] });
      if (row === undefined) throw new Error('A row was expected and none came.');
      return row;
    },
    execute: async (text, values = []) => (await client.query({ text, values: [...values] })).rowCount ?? 0,
    prepared: <Row>(name: string, text: string, values: readonly unknown[]) =>
      rows<Row>({ name, text, values: [...values] }),
    run: async (statement) => (await client.query({ ...statement, values: [...statement.values] })).rowCount ?? 0,
    asService: async (service, work) => {
      const before = (await client.query("SELECT current_setting('role') AS role")).rows[0].role as string;
      await client.query(serviceDoor(service));
      const back = () => client.query(/^lintel_[a-z_]+$/.test(before) ? `SET LOCAL ROLE ${before}` : door);
      try {
        const result = await work(tx);
        await back();
        return result;
      } catch (error) {
        // Refused where the transaction is spoilt; then its end undoes the role.
        await back().catch(() => undefined);
        throw error;
      }
    },
  };
  return tx;
}
