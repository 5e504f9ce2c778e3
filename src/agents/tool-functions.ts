import type { ToolSpec } from '#models';
import type { Spending, ToolOutcome } from './runs.ts';
import type { Priced } from './step-budget.ts';

/** What a call of a tool is given: its idempotency key, the step it belongs to, and when to stop. */
export type CallContext = { key: string; seq: number; signal: AbortSignal };

/** A function ready to be called by a run. */
export type ToolFunction = {
  spec: ToolSpec;
  /** May be called again with the same key. */
  idempotent: boolean;
  needsApproval: boolean;
  /** It keeps its own time: no tool timeout. */
  unhurried?: boolean;
  /**
   * Throws {@link ToolNotCalled} when certainly nothing happened; any other error means that the effect may have happened.
   */
  call(args: Record<string, unknown>, context: CallContext): Promise<CallResult>;
};

/** What a call gave, and what it used of the run's guardrails. */
export type CallResult = { outcome: ToolOutcome; spent?: { tokens: number; priced: Priced; below: Spending } };

/** The tool was certainly not reached: the model is told, nothing is in doubt. */
export class ToolNotCalled extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ToolNotCalled';
  }
}

/** The run this tool started has not ended: the calling run waits for it, held by nobody. */
export class ChildNotOver extends Error {}

/** The largest tool result a model is shown, characters; the rest is cut with a note. */
export const maxResultChars = 64_000;

/** A result of bounded size. */
export function outcome(text: string, isError = false): ToolOutcome {
  if (text.length <= maxResultChars) return { text, isError };
  const cut = text.slice(0, maxResultChars).toWellFormed();
  return { text: `${cut}\n[cut here: ${text.length - maxResultChars} more characters]`, isError };
}

/** {@link outcome} of a call that used nothing of the run's guardrails. */
export function said(text: string, isError = false): CallResult {
  return { outcome: outcome(text, isError) };
}

/** A name that model APIs take (`^[a-zA-Z0-9_-]{1,64}$`), unique among `taken`. */
export function functionName(parts: readonly string[], taken: ReadonlySet<string>): string {
  const wanted = parts.join('_').replace(/[^a-zA-Z0-9_-]+/g, '_') || 'tool';
  let name = wanted.slice(0, 64);
  for (let n = 2; taken.has(name); n++) name = `${wanted.slice(0, 60)}_${n}`;
  return name;
}

/**
 * Headers from several sides as one: names are the same in any case (RFC 9110 §5.1), and of two the later holds. Throws
 * {@link ToolNotCalled} for one that HTTP does not allow, which it names without its value: that may be a secret.
 */
export function headersOf(...sides: readonly Readonly<Record<string, string>>[]): Headers {
  const headers = new Headers();
  for (const [name, value] of sides.flatMap((side) => Object.entries(side))) {
    try {
      headers.set(name, value);
    } catch {
      throw new ToolNotCalled(`the header ${JSON.stringify(name)} has characters that HTTP does not allow`);
    }
  }
  return headers;
}

/** Reads a body of bounded size as text; throws when it is larger. */
export async function boundedText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
