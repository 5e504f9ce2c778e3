/** A ready first call: the stock curl against this server. The router needs no provider, so it works from the first minute. */
export function curlFor(model = 'lintel/router', key = 'lt_live_…', content = '12 * 7'): string {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content }] });
  return [
    `curl ${location.origin}/v1/chat/completions \\`,
    `  -H "Authorization: Bearer ${key}" \\`,
    '  -H "Content-Type: application/json" \\',
    `  -d '${body.replaceAll("'", "'\\''")}'`,
  ].join('\n');
}
