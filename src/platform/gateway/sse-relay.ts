import { findUsage } from '#models';

const doneMark = '[DONE]';
const usageMark = '"usage"';
const contentMarks = ['"content":"', '"arguments":"', '"reasoning_content":"'];
const empty = Buffer.alloc(0);

/**
 * Relays the events of an OpenAI chat stream (server-sent events) as they come, byte for byte, and reads from them what
 * metering needs: the usage chunk (held back unless the client asked for it), `[DONE]` (held back: the call is recorded first), and
 * the bytes of content, for an estimate should the stream be cut.
 */
export class SseRelay {
  /** The `usage` object of the stream, as the provider sent it. */
  usage: unknown;
  /** True once `[DONE]` has come. */
  done = false;
  /** UTF-8 bytes of text and tool arguments seen so far, as they stand in JSON. */
  contentBytes = 0;
  readonly #keepUsage: boolean;
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #size = 0;
  #tail: Buffer = empty;

  /** `maxBytes`: the largest event that is waited for. */
  constructor(keepUsage: boolean, maxBytes: number) {
    this.#keepUsage = keepUsage;
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes a piece of the upstream body; returns what goes to the client now (maybe nothing; nothing at all behind `[DONE]`). Throws
   * when an event is too large.
   */
  push(chunk: Buffer): Buffer {
    if (this.done) return empty;
    if (this.#size === 0 && endsEvent(chunk)) {
      // One character a byte: searching a string costs a fifth of searching a buffer.
      const text = chunk.toString('latin1');
      if (!text.includes(usageMark) && !text.includes(doneMark)) {
        this.#countContent(text);
        return chunk;
      }
    }
    const seam = Buffer.concat([this.#tail, chunk.subarray(0, 2)]);
    this.#hold(chunk);
    // Joined only when an event is whole: otherwise a long one would be copied and searched with every piece.
    if (endOfEvent(chunk) === -1 && endOfEvent(seam) === -1) return empty;
    return this.#release();
  }

  /** The upstream body has ended: its last event may lack the blank line. Returns what still goes to the client. */
  end(): Buffer {
    if (this.#size === 0 || this.done) return empty;
    this.#hold(Buffer.from('\n\n'));
    return this.#release();
  }

  #hold(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#size += piece.length;
    this.#tail = piece.length > 1 ? piece.subarray(-2) : Buffer.concat([this.#tail, piece]).subarray(-2);
    if (this.#size > this.#maxBytes) throw new Error(`An event is larger than ${this.#maxBytes} bytes.`);
  }

  #release(): Buffer {
    let rest = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    const out: Buffer[] = [];
    for (let end = endOfEvent(rest); end !== -1 && !this.done; end = endOfEvent(rest)) {
      const event = rest.subarray(0, end);
      rest = rest.subarray(end);
      if (this.#passes(event)) out.push(event);
    }
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    this.#tail = rest.subarray(-2);
    return out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
  }

  #passes(event: Buffer): boolean {
    const text = event.toString('latin1');
    this.#countContent(text);
    if (text.includes(usageMark)) {
      const parsed = parseData(event);
      const usage = findUsage(parsed);
      if (parsed !== undefined && usage !== undefined) {
        this.usage = usage;
        const choices = parsed['choices'];
        if (Array.isArray(choices) && choices.length === 0 && !this.#keepUsage) return false;
      }
    }
    if (text.includes(doneMark) && /^data:\s*\[DONE\]\s*$/.test(text)) {
      this.done = true;
      return false;
    }
    return true;
  }

  #countContent(text: string): void {
    for (const mark of contentMarks) {
      for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at)) {
        const start = at + mark.length;
        let end = start;
        while (end < text.length && text.charCodeAt(end) !== 34) end += text.charCodeAt(end) === 92 ? 2 : 1;
        this.contentBytes += Math.min(end, text.length) - start;
        at = end;
      }
    }
  }
}

/** Index after the blank line that ends the first event, or −1. Lines end in LF or CRLF. */
function endOfEvent(bytes: Buffer): number {
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return -1;
}

function endsEvent(bytes: Buffer): boolean {
  const last = bytes.length - 1;
  return bytes[last] === 10 && (bytes[last - 1] === 10 || (bytes[last - 1] === 13 && bytes[last - 2] === 10));
}

/** The JSON of an event's `data:` line, or undefined when it is none. */
export function parseData(event: Buffer): Record<string, unknown> | undefined {
  const text = event
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trimStart())
    .join('\n');
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
