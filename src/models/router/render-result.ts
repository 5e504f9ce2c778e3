import { formatMessage, type RouterMessages } from './messages.ts';

/** Longer results are cut here, with a line that says how much was left out. */
const MAX_LINES = 200;
const MAX_LINE_CHARS = 500;
const MAX_DEPTH = 6;
const INLINE_CHARS = 100;
/** Stands for what lies deeper than is shown. */
const DEEPER = '…';

/** Shows a tool's result as it came: text as text, JSON as compact lines, MCP content by its text parts. No words are added but the catalogue's. */
export function renderResult(content: string, messages: RouterMessages): string {
  const trimmed = content.trim();
  if (trimmed === '') return messages.emptyResult;
  const parsed = parseJson(trimmed);
  const lines = (parsed === undefined ? trimmed : renderValue(unwrap(parsed), messages)).split('\n');
  const shown = lines
    .slice(0, MAX_LINES)
    .map((line) => (line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}…` : line));
  if (lines.length > MAX_LINES)
    shown.push(formatMessage(messages.moreLines, { count: String(lines.length - MAX_LINES) }));
  return shown.join('\n').trim() || messages.emptyResult;
}

function parseJson(text: string): unknown {
  if (!/^[[{"\-\dtfn]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An MCP tool result (`{content: [{type: 'text', text}]}`) stands for its structured content, or else for its text parts. */
function unwrap(value: unknown): unknown {
  if (!isRecord(value)) return value;
  if (isRecord(value['structuredContent'])) return value['structuredContent'];
  const parts = value['content'];
  if (
    !Array.isArray(parts) ||
    parts.length === 0 ||
    !parts.every((part) => isRecord(part) && typeof part['type'] === 'string')
  )
    return value;
  const texts = parts.map((part) => (typeof part['text'] === 'string' ? part['text'] : `[${part['type']}]`));
  return texts.length === 1 ? (parseJson(texts.join('').trim()) ?? texts[0]) : texts.join('\n');
}

function renderValue(value: unknown, messages: RouterMessages): string {
  if (Array.isArray(value))
    return value.length === 0 ? messages.emptyResult : renderLines(value, messages, 0).join('\n');
  if (isRecord(value))
    return Object.keys(value).length === 0 ? messages.emptyResult : renderLines(value, messages, 0).join('\n');
  return renderScalar(value, messages);
}

function renderLines(value: unknown, messages: RouterMessages, depth: number): string[] {
  const indent = '  '.repeat(depth);
  const entries = Array.isArray(value)
    ? value.map((item): [string, unknown] => ['', item])
    : Object.entries(value as object);
  return entries.flatMap(([key, item]) => {
    const lead = Array.isArray(value) ? `${indent}-` : `${indent}${key}:`;
    const inline = renderInline(item, messages);
    if (inline !== undefined || depth >= MAX_DEPTH) return [`${lead} ${inline ?? DEEPER}`];
    const inner = renderLines(item, messages, depth + 1);
    if (!Array.isArray(value)) return [lead, ...inner];
    return [`${lead} ${(inner[0] ?? '').trimStart()}`, ...inner.slice(1)];
  });
}

/** A scalar, an empty or a short flat value on one line; `undefined` for what needs lines of its own. */
function renderInline(value: unknown, messages: RouterMessages): string | undefined {
  if (!Array.isArray(value) && !isRecord(value)) return renderScalar(value, messages).replaceAll('\n', ' ');
  const items = Object.entries(value);
  if (items.length === 0) return '–';
  if (items.some(([, item]) => Array.isArray(item) || isRecord(item))) return undefined;
  const text = items
    .map(([key, item]) => (Array.isArray(value) ? '' : `${key}: `) + renderScalar(item, messages))
    .join(', ');
  return text.length <= INLINE_CHARS && !text.includes('\n') ? text : undefined;
}

function renderScalar(value: unknown, messages: RouterMessages): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'boolean') return value ? messages.yes : messages.no;
  return String(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
