import { connect, type Socket } from 'node:net';
import { argv } from 'node:process';

/** Opens event streams and holds them: arguments port, key, how many, which first address of 127.0.0.x. Tells its parent how many are open. */
const [, , port = '', key = '', count = '', first = ''] = argv;
const perSource = 8_000;
const sockets: Socket[] = [];
let failed = 0;

async function open(index: number): Promise<void> {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(port),
    localAddress: `127.0.0.${Number(first) + Math.floor(index / perSource)}`,
  });
  await new Promise<void>((resolve) => {
    socket.once('connect', () =>
      socket.write(`GET /v1/stream?topics=runs HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${key}\r\n\r\n`),
    );
    socket.once('data', (data) => {
      if (data.toString('latin1').startsWith('HTTP/1.1 200')) sockets.push(socket);
      else failed++;
      resolve();
    });
    socket.once('error', () => {
      failed++;
      resolve();
    });
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    const at = sockets.indexOf(socket);
    if (at >= 0) sockets.splice(at, 1);
  });
}

let next = 0;
const openers = Array.from({ length: 50 }, async () => {
  while (next < Number(count)) await open(next++);
});
process.send?.('ready');
process.on('message', () => process.send?.({ open: sockets.length, failed, done: next >= Number(count) }));
process.on('disconnect', () => process.exit(0));
await Promise.all(openers);
