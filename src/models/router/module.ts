import { continueAsk } from './continue-ask.ts';
import { decide, type Pending } from './decide.ts';
import { IndexCache } from './index-cache.ts';
import { ROUTER_MESSAGES } from './messages.ts';
import { createToolIndex, prepareTool, type ToolIndex } from './rank-tools.ts';
import { readMessage } from './read-message.ts';
import { renderResult } from './render-result.ts';
import { detectLanguage } from './tokenize.ts';
import type { Language, RouterDecision, RouterMessage, RouterTool } from './types.ts';

export type { ToolIndex } from './rank-tools.ts';
export type { RouterDecision, RouterMessage, RouterTool } from './types.ts';

/** What the router decides on. */
export type RouterInput = {
  readonly messages: readonly RouterMessage[];
  /** The tools on offer (their index is kept for the next call), or an index made of them with `prepareTools`. */
  readonly tools: readonly RouterTool[] | ToolIndex;
  readonly now: Temporal.Instant;
  /** IANA time zone in which dates are meant. */
  readonly timeZone: string;
  /** The agent's instructions: they set the language of an answer that the conversation leaves open. */
  readonly instructions?: string;
};

/** Turns of the conversation before these are not read. */
const MAX_TURNS = 40;
/** Tool results shown in one answer. */
const MAX_RESULTS = 20;

const indexes = new IndexCache();

/**
 * Decides the next step of a conversation without a model: which tool to call with which arguments, what to ask for, that no
 * tool fits, or how to show the results that end the conversation. Deterministic: the same input gives the same decision.
 * Throws a `RangeError` when the time zone is unknown.
 */
export function routeMessage(input: RouterInput): RouterDecision {
  const index = 'postings' in input.tools ? input.tools : indexes.of(input.tools);
  const turns = input.messages.slice(-MAX_TURNS);
  const language = languageOf(turns, input.instructions);
  const messages = ROUTER_MESSAGES[language];
  const last = turns.findLastIndex((turn) => turn.role !== 'tool');
  const results = turns.slice(last + 1);
  if (results.length > 0) {
    return {
      kind: 'answer',
      text: results
        .slice(-MAX_RESULTS)
        .map((turn) => renderResult(turn.content, messages))
        .join('\n\n'),
    };
  }
  const now = input.now.toZonedDateTimeISO(input.timeZone);
  let pending: Pending | undefined;
  let decision: RouterDecision = { kind: 'none', text: messages.noTool };
  for (const turn of turns.slice(beginOfExchange(turns))) {
    if (turn.role === 'assistant')
      pending = pending !== undefined && turn.content.trim() === pending.text ? pending : undefined;
    if (turn.role !== 'user') continue;
    const message = readMessage(turn.content, now);
    const step =
      continueAsk(index, message, pending, message.language ?? language) ??
      decide(index, message, message.language ?? language);
    decision = step.decision;
    pending = step.pending;
  }
  return decision;
}

/** Prepares a tool list for many messages; the cost grows with the schemas, so keep the answer as long as the list is the same. */
export function prepareTools(tools: readonly RouterTool[]): ToolIndex {
  return createToolIndex(tools.map(prepareTool));
}

/** Prepares a list for {@link routeMessage} without keeping the event loop: at once where it was prepared before. */
export function warmTools(tools: readonly RouterTool[]): Promise<void> {
  return indexes.prepare(tools);
}

function languageOf(turns: readonly RouterMessage[], instructions: string | undefined): Language {
  for (const turn of turns.toReversed()) {
    const language = turn.role === 'user' ? detectLanguage(turn.content) : undefined;
    if (language !== undefined) return language;
  }
  return detectLanguage(instructions ?? '') ?? 'en';
}

/** Where the exchange that the last message belongs to begins: after the last assistant turn that is none of our questions, at the last user turn otherwise. */
function beginOfExchange(turns: readonly RouterMessage[]): number {
  const last = turns.findLastIndex((turn) => turn.role === 'user');
  let begin = last;
  while (
    begin >= 2 &&
    turns[begin - 1]?.role === 'assistant' &&
    isAsk(turns[begin - 1]?.content ?? '') &&
    turns[begin - 2]?.role === 'user'
  )
    begin -= 2;
  return Math.max(0, begin);
}

function isAsk(text: string): boolean {
  return Object.values(ROUTER_MESSAGES).some(({ ask }) => text.trimStart().startsWith(ask.slice(0, ask.indexOf('{'))));
}
