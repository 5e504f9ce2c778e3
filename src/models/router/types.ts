/** A JSON Schema object as tools carry it: read defensively, since tenants and remote servers write it. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** A tool the router may choose: its name, what it does in any language, and the JSON Schema of its arguments. */
export type RouterTool = { readonly name: string; readonly description: string; readonly inputSchema: JsonSchema };

/** One turn of the conversation, in the shape of the OpenAI chat messages. */
export type RouterMessage = {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly toolCallId?: string;
  readonly toolCalls?: readonly { readonly id: string; readonly name: string; readonly arguments: unknown }[];
};

/** The language of the texts the router writes. */
export type Language = 'en' | 'zh-CN';

/** The arguments found so far, keyed as the tool's schema names them. */
export type RouterArguments = { [name: string]: unknown };

/** A half-open range `[start, end)` of UTF-16 offsets into the message. */
export type Span = { readonly start: number; readonly end: number };

/** Tells whether two ranges share a character. */
export function overlaps(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end;
}

/** What the router decided: call a tool, ask for what is missing, say that no tool fits, or show a tool's result. */
export type RouterDecision =
  | { readonly kind: 'call'; readonly tool: string; readonly arguments: RouterArguments; readonly score: number }
  | {
      readonly kind: 'ask';
      readonly tool: string;
      readonly missing: readonly string[];
      readonly arguments: RouterArguments;
      readonly text: string;
    }
  | { readonly kind: 'none'; readonly text: string }
  | { readonly kind: 'answer'; readonly text: string };
