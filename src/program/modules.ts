import { createApp, readAppConfig } from '#app';
import { createConnector } from '#kernel/database-connector';
import { createLogger } from '#kernel/logger';

/** `npm start -- modules`: what this house is made of. Opens no connection. */
export async function modules(): Promise<void> {
  const app = await createApp({
    role: 'setup',
    config: readAppConfig(),
    connector: createConnector('postgres://nobody@127.0.0.1:1/none', 'lintel-modules'),
    rootKey: '00'.repeat(32),
    log: createLogger('silent'),
    baseUrl: 'http://127.0.0.1',
  });
  for (const { name, routes = [], tables = [], events = [], permissions = [] } of app.modules) {
    const counts = [
      `${routes.length} routes`,
      `${tables.length} tables`,
      `${events.length} events`,
      `${permissions.length} permissions`,
    ];
    process.stdout.write(`${name.padEnd(12)} ${counts.map((count) => count.padEnd(14)).join(' ')}\n`);
  }
  await app.close();
}
