/**
 * The `data` of each event of a server-sent event stream (WHATWG HTML §9.2.6), as it comes. Throws when the stream is larger
 * than `maxBytes` in all.
 */
export async function* eventsOf(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let size = 0;
  let rest = '';
  // Parts of a line without its end: a line that comes in small pieces is not read anew with each.
  const pieces: string[] = [];
  let data: string[] = [];
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error(`the stream is larger than ${maxBytes} bytes`);
    const piece = decoder.decode(chunk, { stream: true });
    pieces.push(piece);
    if (!/[\r\n]/.test(piece) && !rest.endsWith('\r')) continue;
    rest += pieces.splice(0).join('');
    const lines = rest.split(/\r\n|\n|\r(?=.)/);
    rest = lines.pop() as string;
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield data.join('\n');
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
    }
  }
}
