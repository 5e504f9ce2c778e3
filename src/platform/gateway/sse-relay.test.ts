import { expect, test } from 'vitest';

import { SseRelay } from './sse-relay.ts';

const delta = (text: string) => `data: ${JSON.stringify({ choices: [{ delta: { content: text } }], usage: null })}\n\n`;
const usage = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } })}\n\n`;
const done = 'data: [DONE]\n\n';

function run(parts: Buffer[], keep: boolean): { out: string; relay: SseRelay } {
  const relay = new SseRelay(keep, 1_000_000);
  return { out: parts.map((part) => relay.push(part).toString('utf8')).join(''), relay };
}

test('events pass byte for byte; the usage chunk only when asked for; [DONE] is held', () => {
  const text = `: hello\n\n${delta('你好 "[DONE]" ')}${delta('b')}${usage}${done}`;
  for (const keep of [true, false]) {
    const { out, relay } = run([Buffer.from(text)], keep);
    expect(out).toBe(`: hello\n\n${delta('你好 "[DONE]" ')}${delta('b')}${keep ? usage : ''}`);
    expect(relay.usage).toEqual({ prompt_tokens: 3, completion_tokens: 2 });
    expect(relay.done).toBe(true);
  }
});

test('the same whatever the network cuts, also with CRLF', () => {
  for (const newline of ['\n', '\r\n']) {
    const text = Buffer.from(`${delta('你好')}${delta('a"b')}${usage}${done}`.replaceAll('\n', newline));
    const whole = run([text], false);
    for (let size = 1; size < text.length; size++) {
      const parts: Buffer[] = [];
      for (let at = 0; at < text.length; at += size) parts.push(text.subarray(at, at + size));
      const cut = run(parts, false);
      expect(cut.out).toBe(whole.out);
      expect(cut.relay.done).toBe(true);
      expect(cut.relay.usage).toEqual(whole.relay.usage);
      expect(cut.relay.contentBytes).toBe(whole.relay.contentBytes);
    }
  }
});

test('usage beside a last choice is read and passes', () => {
  const last = `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: 'stop' }], usage: { prompt_tokens: 1 } })}\n\n`;
  const { out, relay } = run([Buffer.from(last)], false);
  expect(out).toBe(last);
  expect(relay.usage).toEqual({ prompt_tokens: 1 });
});
