import { ConfigError } from '#kernel/config';
import type { Doors } from '#kernel/database';
import { newId } from '#kernel/ids';
import type { Sealer } from '#kernel/seal';

/** Keeps the root secret's fingerprint at the first start; refuses to start with another one later: nothing sealed could be opened. */
export async function checkRootSecret(doors: Pick<Doors, 'forService'>, sealer: Sealer): Promise<void> {
  const kept = await doors.forService('node_keeper', async (tx) => {
    await tx.execute('INSERT INTO installation (id, root_fingerprint) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
      newId(),
      sealer.fingerprint,
    ]);
    return tx.one<{ rootFingerprint: string }>('SELECT root_fingerprint FROM installation');
  });
  if (kept.rootFingerprint !== sealer.fingerprint) {
    throw new ConfigError([
      `LINTEL_ROOT_KEY (or root.key) is another than the one this database was made with: its fingerprint is ${sealer.fingerprint}, the database has ${kept.rootFingerprint}`,
    ]);
  }
}
