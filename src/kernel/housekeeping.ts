import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import { repeat } from '#kernel/repeat';

const everyMs = 600_000;

/** Deleted at once: no transaction is long, however much there is. */
const batch = 5_000;

/** What the kernel's tables keep for a time only ({@link kernelTables}), by the database's clock, as it was written. */
const answers = `DELETE FROM idempotency_keys WHERE (tenant_id, principal, key) IN (
  SELECT tenant_id, principal, key FROM idempotency_keys WHERE created_at < clock_timestamp() - interval '24 hours' LIMIT ${batch})`;
const nodes = `DELETE FROM nodes WHERE id IN (
  SELECT id FROM nodes WHERE coalesce(ended_at, heartbeat_at) < clock_timestamp() - interval '7 days' LIMIT ${batch})`;

/** Deletes answers kept for an Idempotency-Key and nodes that are gone, each past its time. */
export async function tidyKernel(doors: Pick<Doors, 'forPlatform' | 'forService'>): Promise<void> {
  while ((await doors.forPlatform((tx) => tx.execute(answers))) === batch);
  while ((await doors.forService('node_keeper', (tx) => tx.execute(nodes))) === batch);
}

/** Tidies every ten minutes until the returned function is called. */
export function startHousekeeping(deps: {
  db: Pick<Doors, 'forPlatform' | 'forService'>;
  log: Logger;
}): () => Promise<void> {
  return repeat(
    everyMs,
    () => tidyKernel(deps.db),
    (error) => deps.log.debug({ err: error }, 'the kernel’s tables are tidied later'),
  );
}
