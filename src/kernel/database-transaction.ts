import type { Socket } from 'node:net';
import type pg from 'pg';

import type { Service, Statement, Tx } from '#kernel/database';
import { isAway, UnknownOutcome } from '#kernel/database-faults';
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

/**
 * An open transaction on a connection, behind a door. `commit` ends it unless its work did (which in a `joint` one it never does);
 * throws {@link UnknownOutcome} where nobody knows.
 */
export function transactionOf(
  client: pg.PoolClient,
  door: string,
  joint: boolean,
): { tx: Tx; commit: () => Promise<void> } {
  let committed = false;
  const send = (query: pg.QueryConfig): Promise<pg.QueryResult> => {
    if (committed) throw new Error('The transaction has ended.');
    return client.query(query);
  };
  const rows = async <Row>(query: pg.QueryConfig): Promise<Row[]> => {
    const result = await send(query);
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
    execute: async (text, values = []) => (await send({ text, values: [...values] })).rowCount ?? 0,
    prepared: <Row>(name: string, text: string, values: readonly unknown[]) =>
      rows<Row>({ name, text, values: [...values] }),
    run: async (statement) => (await send({ ...statement, values: [...statement.values] })).rowCount ?? 0,
    commitWith: async <Row>(statement: Statement) => {
      if (joint) return tx.prepared<Row>(statement.name, statement.text, statement.values);
      // pg turns objects into JSON when it sends, and one that it cannot turn would not keep COMMIT from leaving.
      if (!statement.values.every(isPlain)) throw new TypeError('An object cannot leave together with COMMIT.');
      if (committed) throw new Error('The transaction has ended.');
      committed = true;
      const result = await ended(client, { ...statement, values: [...statement.values] });
      return (result as pg.QueryResult).rows.map(toRow) as Row[];
    },
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
  return { tx, commit: async () => void (committed || (await ended(client))) };
}

/** Ends a transaction, with a last statement if there is one, whose answer it returns; throws that one's error, or {@link UnknownOutcome}. */
async function ended(client: pg.PoolClient, last?: pg.QueryConfig): Promise<pg.QueryResult | undefined> {
  const sent = corked(client, () => [last && client.query(last), client.query('COMMIT')] as const);
  const [before, end] = await Promise.allSettled(sent);
  if (end.status === 'rejected') throw isAway(end.reason) ? new UnknownOutcome(end.reason) : end.reason;
  if (before.status === 'rejected') throw before.reason;
  // The server's word for a COMMIT of a transaction in which something failed.
  if (end.value.command !== 'COMMIT')
    throw new Error('A statement failed whose error was not passed on: nothing is committed.');
  return before.value;
}

function isPlain(value: unknown): boolean {
  return (
    typeof value !== 'object' ||
    value === null ||
    Buffer.isBuffer(value) ||
    (Array.isArray(value) && value.every(isPlain))
  );
}

/** What `send` writes at once leaves in one piece. */
export function corked<T>(client: pg.PoolClient, send: () => T): T {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}
