import { createServer } from 'node:http';
import { argv } from 'node:process';

import { completion, streamEvents } from './answers.ts';

/**
 * A provider that answers at once with fixed texts: a chat completion, or with `"stream":true` as many chunks as `max_tokens` says,
 * one write each.
 */
const [, , port = ''] = argv;
const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (part: string) => (text += part));
  request.on('end', () => {
    if (!text.includes('"stream":true')) {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(completion) })
        .end(completion);
      return;
    }
    const events = streamEvents(Number(/"max_tokens":(\d+)/.exec(text)?.[1] ?? 10));
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    let at = 0;
    const next = () => {
      if (response.destroyed) return;
      const event = events[at++];
      if (event === undefined) response.end();
      else if (response.write(event)) setImmediate(next);
      else response.once('drain', next);
    };
    next();
  });
});
server.keepAliveTimeout = 0;
server.listen(Number(port), '127.0.0.1', 1024, () => process.send?.('ready'));
process.on('disconnect', () => process.exit(0));
