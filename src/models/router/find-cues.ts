import { isContent } from './capture-text.ts';
import type { Slot } from './describe-slots.ts';
import { around, type Draft } from './draft.ts';
import type { Role } from './slot-roles.ts';
import { type Cue, cuesOf } from './text-cues.ts';
import { firstTokenFrom, type Token } from './tokenize.ts';
import type { Span } from './types.ts';

/** More cues of one slot than this are noise, and each costs a look at the message. */
const MAX_CUES = 24;
const LABEL_JOIN = /^(?:\s*(?:is|as|to|of|=|:|：|为|是|叫|在|改为|改成|设为|设置为|换成)\s*)/i;
const GENERIC_LABELS: ReadonlySet<string> = new Set([
  'name',
  'id',
  'title',
  'text',
  'to',
  'from',
  'q',
  'query',
  'type',
  'value',
  'number',
  'code',
  '名称',
  '内容',
  '名字',
]);

/** A cue or label of a slot in the message: its token, the token its value begins at, and whether it names the slot itself. */
export type CueHit = { readonly cue: Cue; readonly at: number; readonly after: number; readonly label: boolean };

/** Where cues and labels of a slot stand in the message. */
export function findCues(draft: Draft, slot: Slot): CueHit[] {
  const { tokens, text } = draft.message;
  const hits: CueHit[] = [];
  const boundaries = new Map(tokens.map((token, i) => [token.start, i]));
  for (const [i, token] of tokens.entries()) {
    const cue = cuesOf(slot.role).find(({ words }) => matchesCue(tokens, text, i, words));
    const verb = cue?.words.length !== 1 || cue.words[0] !== 'to' || slot.role !== 'task' || leadsToVerb(draft, i);
    if (cue !== undefined && verb) {
      const after =
        token.kind === 'cjk'
          ? (boundaries.get(token.start + (cue.words[0] ?? '').length) ?? tokens.length)
          : i + cue.words.length;
      hits.push({ cue, at: i, after, label: false });
    }
    if (
      slot.required &&
      takesColon(slot) &&
      // `Quick question: …` announces no value: something of the tool's stands before the colon.
      tokens.slice(0, i).some((before) => draft.vocabulary.has(before)) &&
      !startsWithLabel(draft, tokens[i + 1]) &&
      i > 0 &&
      /^[:：]$/.test(token.text) &&
      /^(?:\s|\p{Script=Han})/u.test(text.slice(token.end, token.end + 1))
    ) {
      hits.push({
        cue: { words: [], weight: 2.8, reach: slot.role === 'person' ? 'name' : 'rest' },
        at: i,
        after: i + 1,
        label: true,
      });
    }
    const named =
      token.kind === 'cjk'
        ? token.text.length > 1 && slot.labelWords.has(token.text)
        : slot.cueWords.get(token.stem) === 1;
    if (!named) continue;
    const joined = LABEL_JOIN.exec(text.slice(token.end, token.end + 12));
    const next = tokens[i + 1];
    const han = token.kind === 'cjk' && slot.cueWords.has(token.text) && next?.kind === 'cjk' && isContent(draft, next);
    const proper = next !== undefined && (han || /^[\p{Lu}\d]/u.test(next.text) || next.kind === 'number');
    const generic = GENERIC_LABELS.has(token.stem);
    if (joined !== null && !(generic && /^\s*(?:of|to|as|在)/i.test(joined[0])))
      hits.push({
        cue: { words: [], weight: 4, reach: reachOf(slot.role) },
        at: i,
        after: firstTokenFrom(tokens, token.end + joined[0].length),
        label: true,
      });
    else if (proper && token.lower !== 'to')
      hits.push({ cue: { words: [], weight: 2.5, reach: 'name' }, at: i, after: i + 1, label: true });
  }
  return hits.slice(0, MAX_CUES);
}

function matchesCue(tokens: readonly Token[], text: string, i: number, words: readonly string[]): boolean {
  const token = tokens[i] as Token;
  const [first = ''] = words;
  if (token.kind === 'cjk') {
    if (!text.startsWith(first, token.start) || !/^\p{Script=Han}/u.test(first)) return false;
    const end = token.start + first.length;
    return tokens.slice(i, i + first.length).some((other) => other.end === end);
  }
  return words.every((word, j) => tokens[i + j]?.lower === word);
}

/** `set a reminder … to call`: a lower-case word follows, and something before names the tool. */
function leadsToVerb(draft: Draft, to: number): boolean {
  const { tokens } = draft.message;
  return (
    /^\p{Ll}/u.test(tokens[to + 1]?.text ?? '') && tokens.slice(0, to).some((token) => draft.vocabulary.has(token))
  );
}

/** A phrase of one slot ends where a sure cue of another begins. */
export function stopsFor(slot: Slot, starts: ReadonlyMap<Slot, readonly CueHit[]>): Set<number> {
  const stops = new Set<number>();
  for (const [other, hits] of starts) {
    if (other !== slot)
      for (const hit of hits)
        if (hit.cue.weight >= 3 && (hit.label || hit.cue.reach !== 'name' || hit.cue.weight >= 4)) stops.add(hit.at);
  }
  return stops;
}

/** The weight of the role's cue that stands right before a range, where it is a sure one. */
export function leadsTo(draft: Draft, slot: Slot, span: Span): number {
  const before = around(draft, span)
    .before.toLowerCase()
    .replace(/[\w.%+-]+@[\w.-]+\s*$/, '')
    .replace(/[\s:：,，]+$/, '');
  const weight = cuesOf(slot.role).find((cue) => before.endsWith(cue.words.join(' ')))?.weight ?? 0;
  return weight >= 3 ? weight : 0;
}

/** Tells whether a label is too common to name its slot, as `name` is. */
export function isGenericLabel(word: string): boolean {
  return GENERIC_LABELS.has(word);
}

function reachOf(role: Role): Cue['reach'] {
  if (role === 'body' || role === 'task' || role === 'address') return 'rest';
  return role === 'title' || role === 'topic' || role === 'reason' || role === 'item' || role === 'other'
    ? 'phrase'
    : 'name';
}

/** `New contact: name Ann, email …`: what follows the colon is a list of labelled values. */
function startsWithLabel(draft: Draft, next: Token | undefined): boolean {
  return next !== undefined && draft.entry.slots.some((slot) => slot.cueWords.get(next.stem) === 1);
}

/** `Open a ticket: the printer is broken`: the text after a colon is the title, body or task. */
function takesColon(slot: Slot): boolean {
  return (
    slot.role === 'title' ||
    slot.role === 'person' ||
    slot.role === 'address' ||
    slot.role === 'body' ||
    slot.role === 'task' ||
    slot.role === 'topic' ||
    slot.role === 'other'
  );
}
