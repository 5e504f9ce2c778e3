import { expect, test } from 'vitest';

import { boundInput, outputCap } from './bound-usage.ts';
import { findMembers } from './edit-body.ts';

function bound(body: Record<string, unknown>) {
  const text = JSON.stringify(body);
  return boundInput(text, findMembers(text), body);
}

test('a text counts at least its UTF-8 bytes, plus 16 per message', () => {
  const content = '门楣\n"\u0001';
  const result = bound({
    model: 'x',
    messages: [
      { role: 'user', content },
      { role: 'user', content: '' },
    ],
  });
  expect(result.inputTokens).toBeGreaterThanOrEqual(Buffer.byteLength(content) + 32);
  expect(result.media).toEqual({ image: 0, audio: 0, file: 0 });
});

test('tools and response formats count', () => {
  const without = bound({ messages: [] }).inputTokens;
  expect(bound({ messages: [], tools: [{ x: 'y'.repeat(100) }] }).inputTokens).toBeGreaterThanOrEqual(without + 100);
  expect(bound({ messages: [], response_format: { x: 'y'.repeat(100) } }).inputTokens).toBeGreaterThanOrEqual(
    without + 100,
  );
});

test('a list of tokens is one input, a list of lists or texts many', () => {
  const tokens = Array.from({ length: 100 }, () => 7);
  expect(bound({ input: tokens }).inputTokens).toBe(JSON.stringify(tokens).length + 16);
  expect(bound({ input: [tokens, tokens] }).inputTokens).toBe(JSON.stringify([tokens, tokens]).length + 32);
  expect(bound({ input: ['a', 'b'] }).inputTokens).toBe(JSON.stringify(['a', 'b']).length + 32);
});

test('media parts are counted apart, and cannot shrink the bound of the text beside them', () => {
  const text = { type: 'text', text: 'a'.repeat(50) };
  const image = {
    type: 'image_url',
    image_url: { url: `data:image/png;base64,${'A'.repeat(10_000)}` },
    x: [1e300, 1e20, 1e20, 1e20],
  };
  const result = bound({ messages: [{ role: 'user', content: [text, image, image] }] });
  expect(result.media).toEqual({ image: 2, audio: 0, file: 0 });
  expect(result.inputTokens).toBeGreaterThanOrEqual(50 + 16);
  expect(result.inputTokens).toBeLessThan(1_000);
});

test('a part is counted by its kind; one that is not known may be anything', () => {
  const content = [{ type: 'image_url' }, { type: 'input_audio' }, { type: 'file' }, { type: 'hologram' }, null];
  expect(bound({ messages: [{ role: 'user', content }] }).media).toEqual({ image: 1, audio: 1, file: 3 });
});

test('the output cap is the smaller of the two members', () => {
  expect(outputCap({})).toBeUndefined();
  expect(outputCap({ max_tokens: 5 })).toBe(5);
  expect(outputCap({ max_tokens: 5, max_completion_tokens: 9 })).toBe(5);
  expect(outputCap({ max_tokens: null, max_completion_tokens: 9 })).toBe(9);
});
