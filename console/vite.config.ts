import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Puts src/first-paint.js into the page as it is: a blocking script of its own (a module would run after the first paint), hashed. */
function firstPaint(): Plugin {
  const source = readFileSync(new URL('src/first-paint.js', import.meta.url));
  const fileName = `assets/first-paint-${createHash('sha256').update(source).digest('hex').slice(0, 8)}.js`;
  return {
    name: 'lintel:first-paint',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName, source });
    },
    transformIndexHtml: (_html, { server }) => [
      server === undefined
        ? { tag: 'script', attrs: { src: `/${fileName}` }, injectTo: 'head-prepend' }
        : { tag: 'script', children: source.toString(), injectTo: 'head-prepend' },
    ],
  };
}

/** Builds to dist with hashed names. The proxy is for work on the console beside a running server. */
export default defineConfig({
  plugins: [react(), firstPaint()],
  build: {
    target: 'es2023',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/v1': 'http://127.0.0.1:8080', '/openapi.json': 'http://127.0.0.1:8080' } },
});
