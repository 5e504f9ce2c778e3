import type { Tx } from '#kernel/database';
import type { Event } from '#kernel/log';

/** A node as operators see it. Heartbeats by the database's clock. */
export type NodeRow = {
  id: string;
  role: string;
  host: string;
  pid: number;
  version: string;
  startedAt: string;
  heartbeatAt: string;
  silentSeconds: number;
  snapshotSeq: number;
  counters: Record<string, number>;
};

/** Nodes that live, or fell silent within the last hour; newest first. */
export function readNodes(tx: Tx): Promise<NodeRow[]> {
  return tx.query<NodeRow>(
    `SELECT id, role, host, pid, version, started_at, heartbeat_at, snapshot_seq, counters,
       extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS silent_seconds
     FROM nodes WHERE ended_at IS NULL AND heartbeat_at > clock_timestamp() - interval '1 hour' ORDER BY role, started_at DESC`,
  );
}

/** Events of the log above `seq`, at most `limit`; `first` is the oldest number that is still kept. */
export async function readLog(
  tx: Tx,
  seq: number,
  limit: number,
): Promise<{ first: number; head: number; rows: { seq: number; event: Event }[] }> {
  const bounds = await tx.one<{ first: number | null; head: number }>(
    'SELECT (SELECT seq FROM log ORDER BY seq LIMIT 1) AS first, (SELECT seq FROM log_head) AS head',
  );
  const rows = await tx.query<{ seq: number; event: Event }>(
    'SELECT seq, event FROM log WHERE seq > $1 ORDER BY seq LIMIT $2',
    [seq, limit],
  );
  return { first: bounds.first ?? bounds.head + 1, head: bounds.head, rows };
}
