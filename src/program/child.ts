import { dirname } from 'node:path';

import { createApp, readAppConfig } from '#app';
import { createConnector } from '#kernel/database-connector';
import { createLogger } from '#kernel/logger';
import { onStopAsked } from '#kernel/supervisor';
import { type ChildMessage, readTerms } from './child-terms.ts';
import { answerHashing, remoteHasher } from './hash-passwords.ts';
import { takeSpool } from './own-spool.ts';

/** When spools that could not be taken in are tried again, milliseconds. */
const laterMs = 60_000;

/** How often a child that drains says how many calls it waits for, milliseconds. */
const tellMs = 500;

/** A child of the supervisor: a front that serves HTTP, or background. Ends after draining when asked to, or when the supervisor is gone. */
export async function runChild(env: NodeJS.ProcessEnv): Promise<void> {
  const terms = readTerms(env);
  const config = readAppConfig();
  const log = createLogger(
    process.stdout.isTTY === true && config.LINTEL_LOG_LEVEL === 'info' ? 'warn' : config.LINTEL_LOG_LEVEL,
    { role: terms.role },
  );
  const spool = takeSpool(terms.spoolDir);
  const app = await createApp({
    role: terms.role,
    config,
    connector: createConnector(config.DATABASE_URL as string, `lintel-${terms.role}`),
    rootKey: config.LINTEL_ROOT_KEY,
    log,
    spoolDir: spool.folder,
    baseUrl: config.LINTEL_PUBLIC_URL ?? terms.baseUrl,
    environment: env,
    ...(terms.role === 'front' ? { consoleDir: terms.consoleDir, hasher: remoteHasher() } : {}),
  });
  if (terms.role === 'background') answerHashing();
  let ending = false;
  onStopAsked(
    'child',
    () => {
      ending = true;
      const tell = () => {
        if (process.connected)
          process.send?.(
            { type: 'under-way', calls: app.underWay() } satisfies ChildMessage,
            undefined,
            {},
            () => undefined,
          );
      };
      tell();
      setInterval(tell, tellMs).unref();
      app.close().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'the end was not orderly');
          process.exit(1);
        },
      );
    },
    () => app.hurry(),
  );
  try {
    await app.start();
    // Folders of an earlier start with more workers, or of a process that had to step aside.
    if (terms.role === 'background') {
      const take = () =>
        spool
          .takeIdle((folder) => app.services.metering.metering.ingestSpool(folder))
          .catch((error: unknown) => {
            log.warn({ err: error, folder: dirname(spool.folder) }, 'spools of earlier processes are taken in later');
            setTimeout(take, laterMs).unref();
          });
      await take();
    }
    if (terms.role === 'front') await app.server?.listen({ host: terms.host, port: terms.port });
    process.send?.({ type: 'ready', nodeId: app.nodeId } satisfies ChildMessage);
  } catch (error) {
    // What a start misses that is overtaken by its end is no failure: the end closes it.
    if (!ending) throw error;
  }
}
