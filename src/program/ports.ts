import { createServer } from 'node:net';

/** True when nothing listens at the address and this process may. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** The port to listen at: the wanted one, or from 8080 on the first that is free. Throws when the wanted one is taken. */
export async function choosePort(host: string, wanted: number | undefined): Promise<number> {
  if (wanted !== undefined) {
    if (await isFree(host, wanted)) return wanted;
    throw new Error(
      `Port ${wanted} of ${host} is taken (or not allowed). Name another with --port, or leave it out to get the next free one.`,
    );
  }
  for (let port = 8080; port < 8180; port++) if (await isFree(host, port)) return port;
  throw new Error('No port from 8080 to 8179 is free; name one with --port.');
}
