import type { Slot } from './describe-slots.ts';
import { type Draft, startDraft } from './draft.ts';
import { fillBooleans } from './fill-booleans.ts';
import { fillDates } from './fill-dates.ts';
import { fillEntities } from './fill-entities.ts';
import { fillEnums } from './fill-enums.ts';
import { fillLeftovers } from './fill-leftover.ts';
import { fillNumbers } from './fill-numbers.ts';
import { fillText } from './fill-text.ts';
import type { ToolEntry } from './rank-tools.ts';
import type { Moment } from './read-dates.ts';
import type { ReadMessage } from './read-message.ts';
import type { RouterArguments } from './types.ts';

/** What a message gives for a tool's slots. */
export type Filling = {
  readonly values: ReadonlyMap<Slot, unknown>;
  readonly missing: readonly Slot[];
  readonly draft: Draft;
  /** A day or time that a date-time still lacks the other half of. */
  readonly half: Moment;
};

const PAST_TOOLS =
  /\b(?:history|past|spent|expenses?|reimburse|incurred|occurred|reports?|logs?|statements?|transactions?|happened)\b|历史|过去|报销|支出|流水|明细|发生|报表|统计|记录|latest (?:when|if)|不填为最新/i;
const PAST_WORDS =
  /\b(?:was|were|did|spent|paid|bought|happened|since|had|ago)\b|上周|昨天|以来|花了|买了|了(?:\d|[一二三四五六七八九十])/i;

/** Fills a tool's slots from a message: first what its form tells, then dates, values of enumerations, numbers, and text last. A reply to a question fills the slots it is open to, and what is left over of it stays the caller's. */
export function fillArguments(
  message: ReadMessage,
  entry: ToolEntry,
  reply?: { open: readonly Slot[]; hint: Moment },
): Filling {
  const open = reply?.open ?? entry.slots;
  const draft = startDraft(message, entry, open, reply?.hint ?? {});
  const past = PAST_TOOLS.test(entry.about) || PAST_WORDS.test(message.text);
  fillEntities(draft);
  const half = fillDates(draft, past);
  fillEnums(draft);
  fillNumbers(draft, past);
  fillBooleans(draft);
  fillText(draft);
  if (reply === undefined) fillLeftovers(draft);
  return { values: draft.values, missing: missingSlots(entry.slots, open, draft.values), draft, half };
}

/** Required slots without a value; those with a default or a single allowed value need none, and an optional group needs its parts once one is given. */
export function missingSlots(all: readonly Slot[], open: readonly Slot[], values: ReadonlyMap<Slot, unknown>): Slot[] {
  const given = new Set(
    [...values.keys()].filter((slot) => slot.path.length > 1).map((slot) => slot.path.slice(0, -1).join('.')),
  );
  return open.filter((slot) => {
    const needed = slot.required || (slot.requiredInGroup && given.has(slot.path.slice(0, -1).join('.')));
    return needed && !values.has(slot) && slot.fallback === undefined && all.includes(slot);
  });
}

/** The arguments as the tool's schema nests them; required slots with a default or a single allowed value take it. */
export function buildArguments(slots: readonly Slot[], values: ReadonlyMap<Slot, unknown>): RouterArguments {
  const result: RouterArguments = {};
  for (const slot of slots) {
    const value = values.has(slot) ? values.get(slot) : slot.required ? slot.fallback?.value : undefined;
    if (value === undefined) continue;
    let node = result;
    for (const key of slot.path.slice(0, -1)) node = own(node, key);
    define(node, slot.path.at(-1) ?? '', value);
  }
  return result;
}

function own(node: RouterArguments, key: string): RouterArguments {
  if (!Object.hasOwn(node, key)) define(node, key, {});
  return node[key] as RouterArguments;
}

/** Schemas come from tenants: a property called `__proto__` is data, never the prototype. */
function define(node: RouterArguments, key: string, value: unknown): void {
  Object.defineProperty(node, key, { value, enumerable: true, configurable: true, writable: true });
}
