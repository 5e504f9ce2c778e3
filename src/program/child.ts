import { createApp, readAppConfig } from '#app';
import { createConnector } from '#kernel/database-connector';
import { createLogger } from '#kernel/logger';
import { onStopAsked } from '#kernel/supervisor';
import { type ChildMessage, readTerms } from './child-terms.ts';
import { answerHashing, remoteHasher } from './hash-passwords.ts';
import { takeSpool } from './own-spool.ts';

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
  onStopAsked('child', () => {
    app.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'the end was not orderly');
        process.exit(1);
      },
    );
  });
  await app.start();
  // Folders of an earlier start with more workers, or of a process that had to step aside.
  if (terms.role === 'background') await spool.takeIdle((folder) => app.services.metering.metering.ingestSpool(folder));
  if (terms.role === 'front') await app.server?.listen({ host: terms.host, port: terms.port });
  process.send?.({ type: 'ready', nodeId: app.nodeId } satisfies ChildMessage);
}
