import { createServer } from 'node:http';
import { argv } from 'node:process';
import { Agent } from 'undici';

/** Contender (a): the least a Node hop can do. Reads the body, sends it on with undici's dispatch, passes the answer on chunk by chunk. */
const [, , port = '', origin = ''] = argv;
const agent = new Agent({ connections: 256, pipelining: 1, keepAliveTimeout: 30_000 });
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    agent.dispatch(
      {
        origin,
        path: request.url ?? '/',
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: request.headers.authorization ?? '' },
        body,
      },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, status, headers) => void response.writeHead(status, headers),
        onResponseData: (_controller, chunk) => void response.write(chunk),
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    );
  });
});
server.keepAliveTimeout = 75_000;
server.listen(Number(port), '127.0.0.1', 1024, () => process.send?.('ready'));
process.on('disconnect', () => process.exit(0));
