import { describe, expect, it } from 'vitest';
import { ROUTER_MESSAGES } from './messages.ts';
import { renderResult } from './render-result.ts';

const en = ROUTER_MESSAGES.en;

describe('renderResult', () => {
  it('shows text as it is', () =>
    expect(renderResult('It is sunny.\nBring a hat.', en)).toBe('It is sunny.\nBring a hat.'));

  it('shows JSON as compact lines', () => {
    const result = {
      city: 'Paris',
      ok: true,
      none: null,
      days: [
        { day: 'Mon', high: 20 },
        { day: 'Tue', high: 21 },
      ],
      tags: ['a', 'b'],
      deep: { list: [{ x: [1, { y: 2 }] }] },
    };
    expect(renderResult(JSON.stringify(result), en)).toBe(
      [
        'city: Paris',
        'ok: yes',
        'none: –',
        'days:',
        '  - day: Mon, high: 20',
        '  - day: Tue, high: 21',
        'tags: a, b',
        'deep:',
        '  list:',
        '    - x:',
        '        - 1',
        '        - y: 2',
      ].join('\n'),
    );
  });

  it('shows the text of an MCP result, and its structured content first', () => {
    expect(renderResult('{"content":[{"type":"text","text":"hello"}]}', en)).toBe('hello');
    expect(renderResult('{"content":[{"type":"text","text":"{\\"a\\":1}"}]}', en)).toBe('a: 1');
    expect(renderResult('{"content":[{"type":"text","text":"x"}],"structuredContent":{"b":2}}', en)).toBe('b: 2');
    expect(renderResult('{"content":[{"type":"image","data":"…"},{"type":"text","text":"x"}]}', en)).toBe('[image]\nx');
  });

  it.each(['', '  ', '{}', '[]'])('says so when %j is nothing', (content) =>
    expect(renderResult(content, en)).toBe(en.emptyResult),
  );

  it('cuts long results and says by how much', () => {
    const lines = renderResult(
      JSON.stringify(Array.from({ length: 250 }, (_, i) => `row ${i} ${'x'.repeat(i === 0 ? 600 : 1)}`)),
      en,
    ).split('\n');
    expect(lines).toHaveLength(201);
    expect(lines[0]?.length).toBeLessThan(510);
    expect(lines.at(-1)).toBe('… 50 more lines');
  });

  it('shows broken JSON as text and very deep JSON without failing', () => {
    expect(renderResult('{"a":', en)).toBe('{"a":');
    expect(renderResult(`${'['.repeat(500)}1${']'.repeat(500)}`, en)).toMatch(/^- - - /);
  });
});
