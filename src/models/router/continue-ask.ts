import { trim } from './capture-text.ts';
import { decide, type Pending, type Step, settle } from './decide.ts';
import type { Slot } from './describe-slots.ts';
import { fillArguments, missingSlots } from './fill-arguments.ts';
import { wrap } from './fill-leftover.ts';
import { findCues } from './find-cues.ts';
import { ROUTER_MESSAGES } from './messages.ts';
import { rankTools, type ToolIndex } from './rank-tools.ts';
import type { ReadMessage } from './read-message.ts';
import type { Language } from './types.ts';

const CANCEL =
  /^\s*(?:never ?mind|cancel(?: (?:it|that))?|forget (?:it|about it)|stop|no thanks|算了|取消|不用了|不要了|没事了|停)\s*[.!。！]?\s*$/i;
const ANSWER_LEAD =
  /^\s*(?:it(?:'s| is)|that(?:'s| is| would be)|the \w+ (?:is|should be)|make it|use|是|就是|用|选|那就)\s*[:：]?\s*/i;

/** Reads a message as the reply to the router's question; `undefined` when there is none or the message is a new request. */
export function continueAsk(
  index: ToolIndex,
  message: ReadMessage,
  pending: Pending | undefined,
  language: Language,
): Step | undefined {
  if (pending === undefined) return undefined;
  if (CANCEL.test(message.text))
    return { decision: { kind: 'none', text: ROUTER_MESSAGES[language].cancelled }, pending: undefined };
  const { entry, missing } = pending;
  const best = rankTools(index, message)[0];
  const fresh =
    best !== undefined && best.entry !== entry && best.score > 2 * missing.length + 4
      ? decide(index, message, language)
      : undefined;
  const optional = entry.slots.filter(
    (slot) => !missing.includes(slot) && !pending.values.has(slot) && slot.form !== 'text',
  );
  const {
    values: filled,
    draft,
    half,
  } = fillArguments(message, entry, { open: [...missing, ...optional], hint: pending.half });
  const found = new Map(filled);
  const text = missing.find((slot) => slot.form === 'text' && !found.has(slot));
  const answered = missing.some((slot) => found.has(slot) && slot.form !== 'text');
  if (fresh?.decision.kind === 'call' && !answered) return fresh;
  const [only] = missing;
  const led = only !== undefined && findCues(draft, only).some((hit) => hit.at < 3 && hit.cue.weight >= 3);
  const whole = missing.length === 1 && only?.form === 'text' && !led ? only : answered ? undefined : text;
  if (whole !== undefined) fillWhole(message, whole, found);
  const values = new Map([...pending.values, ...found]);
  return settle(
    entry,
    { values, missing: missingSlots(entry.slots, entry.slots, values), half },
    pending.score,
    language,
  );
}

/** A reply to a question for one text is that text. */
function fillWhole(message: ReadMessage, slot: Slot, found: Map<Slot, unknown>): void {
  const quote = message.entities.find((entity) => entity.kind === 'quote');
  const lead = ANSWER_LEAD.exec(message.text)?.[0].length ?? 0;
  const span = trim(message.text, lead, message.text.length, 'rest');
  const text =
    quote?.value ??
    (span === undefined
      ? ''
      : message.text.slice(span.start, span.end) + (span.end === message.text.length ? message.tail.trimEnd() : ''));
  if (text !== '' && text.length <= slot.maxLength) found.set(slot, wrap(slot, text));
}
