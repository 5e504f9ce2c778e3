import { createServer } from 'node:net';

import { UsageError } from './options.ts';

/** True when nothing listens at the address and this process may. Throws {@link UsageError} when the host is none of this machine. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'EADDRINUSE' || code === 'EACCES') resolve(false);
      else
        reject(
          new UsageError(`This machine cannot listen at ${host} (${code}); name an address of its own with --host.`),
        );
    });
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** Where users of this machine reach a server that listens at `host`: "all addresses" is none that can be called. */
export function addressOf(host: string, port: number): string {
  const callable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${callable.includes(':') ? `[${callable}]` : callable}:${port}`;
}

/** The port to listen at: the wanted one, or from 8080 on the first that is free. Throws when the wanted one is taken. */
export async function choosePort(host: string, wanted: number | undefined): Promise<number> {
  if (wanted !== undefined) {
    if (await isFree(host, wanted)) return wanted;
    throw new UsageError(
      `Port ${wanted} of ${host} is taken (or not allowed). Name another with --port, or leave it out to get the next free one.`,
    );
  }
  for (let port = 8080; port < 8180; port++) if (await isFree(host, port)) return port;
  throw new UsageError('No port from 8080 to 8179 is free; name one with --port.');
}
