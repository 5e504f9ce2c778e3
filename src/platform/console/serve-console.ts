import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import staticFiles from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Nothing but this origin: no script, style, font, image or request leaves the house. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const pageHeaders = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
};

/**
 * Serves the built console: hashed assets for a year, its one page at `/`, and at every address of the app's own (deep links).
 * Without a build it says so in plain text.
 */
export async function serveConsole(app: FastifyInstance, folder: string): Promise<void> {
  if (!existsSync(join(folder, 'index.html'))) {
    app.get('/', { schema: { hide: true } as object, exposeHeadRoute: true }, (_request, reply) =>
      reply.type('text/plain').send('The console is not built. Start Lintel with "npm start".\n'),
    );
    return;
  }
  await app.register(staticFiles, {
    root: join(folder, 'assets'),
    prefix: '/assets/',
    index: false,
    immutable: true,
    maxAge: '365d',
    decorateReply: false,
    setHeaders: (response) => {
      response.header('x-content-type-options', 'nosniff');
    },
  });
  const addresses = ['/', '/login', '/link', '/invite', '/operator', '/operator/*', '/app', '/app/*'];
  for (const url of addresses) {
    // Read each time: a newer build under a running server has other assets.
    app.get(url, { schema: { hide: true } as object, exposeHeadRoute: true }, async (_request, reply) =>
      reply
        .headers({ ...pageHeaders, 'cache-control': 'no-cache' })
        .type('text/html; charset=utf-8')
        .send(await readFile(join(folder, 'index.html'))),
    );
  }
}
