import { createServer } from 'node:net';
import { expect, test } from 'vitest';

import { createConnector } from './database-connector.ts';

test.for([
  ['that says nothing', false],
  ['that says nothing and does not hang up', true],
] as const)('connecting to a server %s ends when the connection is ended', async ([, allowHalfOpen]) => {
  const server = createServer({ allowHalfOpen }, (socket) => socket.resume());
  const met = new Promise((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const client = createConnector(`postgres://a:b@127.0.0.1:${port}/c`, 'test').open();
  const connecting = client.connect();
  await met;
  await Promise.all([expect(connecting).rejects.toThrow('Connection terminated'), client.end()]);
  server.close();
});
