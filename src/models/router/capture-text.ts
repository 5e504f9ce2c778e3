import type { Draft } from './draft.ts';
import { isRequestVerb } from './request-words.ts';
import { isStopWord } from './stop-words.ts';
import { CHINESE_VERBS, ENGLISH_BREAKS, type Reach } from './text-cues.ts';
import type { Token } from './tokenize.ts';
import { overlaps, type Span } from './types.ts';

/** Names longer than this many tokens are not names. */
const MAX_NAME_TOKENS = 8;
/** 一篇, 那只, 这个: a count or pointer with its measure word. */
const COUNTED = /^[一二两三四五六七八九十几这那哪每某\d]+[个只篇条张份台本家款位名场次间部件种]$/;
const CLAUSE_END = /^[.!?;。！？；\n]$/;
const CLAUSE_MARK = /^[,，、:：()（）]$/;
const LEADING =
  /^(?:(?:the|a|an|that|some|this|these|those|is|are|be|为|是|：|:|=|把|将|一下|一个|一条|一封|一份|的|an?other)(?![A-Za-z])\s*|[\s:：,，=-]+)+/i;
const LEADING_MARKS = /^(?:[\s:：,，=-]+|that\s+)+/i;
const TRAILING =
  /(?:[\s,，.。!！?？;；:：、]|(?<![A-Za-z])(?:for|at|on|in|from|to|by|with|about|of|and|or|the|a|an|as|is|due|please|thanks|thank you|starting|called|before|after|until|that)|的|了|吗|吧|呢|呀|啊|谢谢|一下|在|从|到|给|和|于|把)+$/i;
const TRAILING_COURTESY =
  /(?:[\s,，.。!！?？;；:：、]|(?<![A-Za-z])(?:please|thanks|thank you|at|on|by|in|for|from|before|the|a|an)|谢谢|吗|吧)+$/i;

/**
 * The part of the message that a cue leads to: from the token `from` to where its reach ends. `stops` are the starts of other
 * parameters' cues, which end a phrase. `undefined` where nothing is left.
 */
export function capture(
  draft: Draft,
  from: number,
  reach: Reach,
  stops: ReadonlySet<number>,
  joins = false,
): Span | undefined {
  const { tokens, text } = draft.message;
  let i = from;
  let kept = 0;
  let first = from;
  for (; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (draft.used.some((span) => overlaps(span, token))) {
      // 提醒我明天下午六点给妈妈打电话: the text begins after the time.
      if (kept === 0 && reach === 'rest') continue;
      break;
    }
    const afterUsed = i > from && /^(?:to|as|is|be)$/.test(token.lower);
    if (kept === 0 && (token.kind === 'mark' || (reach === 'rest' ? afterUsed : isLeadingWord(token)))) {
      if (CLAUSE_END.test(token.text)) break;
      continue;
    }
    if (kept > 0 && stops.has(i)) break;
    if (reach !== 'rest' && endsPhrase(draft, tokens, i, reach, joins)) break;
    if (kept === 0) first = i;
    kept++;
    if (reach === 'name' && kept > MAX_NAME_TOKENS) break;
  }
  if (kept === 0) return undefined;
  if (reach === 'rest' && i >= tokens.length && draft.message.tail !== '')
    return { start: (tokens[first] as Token).start, end: text.length };
  const end = i < tokens.length ? (tokens[i] as Token).start : text.length;
  return trim(text, (tokens[first] as Token).start, end, reach);
}

/** Narrows a range to its value: a name loses its article and what follows it, running text only its marks and courtesies. */
export function trim(text: string, start: number, end: number, reach: Reach = 'name'): Span | undefined {
  const raw = text.slice(start, end);
  const lead = (reach === 'rest' ? LEADING_MARKS : LEADING).exec(raw)?.[0].length ?? 0;
  const body = trimEnd(raw.slice(lead), reach === 'name' ? TRAILING : TRAILING_COURTESY);
  return body === '' ? undefined : { start: start + lead, end: start + lead + body.length };
}

/** Tells whether a range says something: a word that is neither a stop word nor one of the tool's own. */
export function hasContent(draft: Draft, span: Span): boolean {
  return draft.message.tokens.some((token) => overlaps(token, span) && isContent(draft, token));
}

/** Tells whether a range is only stop words, bare numbers or the names of parameters. */
export function saysNothing(draft: Draft, span: Span): boolean {
  const labels = (token: Token): boolean => draft.entry.slots.some((slot) => slot.nameWords.has(token.stem));
  return draft.message.tokens.every(
    (token) =>
      !overlaps(token, span) ||
      token.kind === 'mark' ||
      token.kind === 'number' ||
      isStopWord(token.lower) ||
      COUNTED.test(token.text) ||
      labels(token),
  );
}

/** Tells whether a token can only belong to an argument. */
export function isContent(draft: Draft, token: Token): boolean {
  return (
    token.kind !== 'mark' &&
    !COUNTED.test(token.text) &&
    !isStopWord(token.lower) &&
    !isChineseVerb(token.text) &&
    !draft.vocabulary.has(token)
  );
}

/** A verb, alone or with the measure word of its object (找个). */
function isChineseVerb(word: string): boolean {
  return CHINESE_VERBS.has(word) || (word.endsWith('个') && CHINESE_VERBS.has(word.slice(0, -1)));
}

/** The end is read in a bounded window, word by word, so that a long run of spaces costs no more than its length. */
function trimEnd(body: string, trailing: RegExp): string {
  let kept = body;
  for (let round = 0; round < 6; round++) {
    const tail = kept.slice(-40);
    const cut = trailing.exec(tail);
    if (cut === null) return kept;
    kept = kept.slice(0, kept.length - tail.length + cut.index);
  }
  return kept;
}

function endsPhrase(draft: Draft, tokens: readonly Token[], i: number, reach: Reach, joins: boolean): boolean {
  const token = tokens[i] as Token;
  const next = tokens[i + 1];
  const previous = tokens[i - 1];
  const tight =
    previous !== undefined && previous.end === token.start && next !== undefined && next.start === token.end;
  if (token.kind === 'mark') {
    if (tight && /^[.\-&/'’+_·:]$/.test(token.text)) return false;
    if (joins && /^[,，、&]$/.test(token.text)) return false;
    return (
      CLAUSE_END.test(token.text) ||
      (CLAUSE_MARK.test(token.text) && !(reach === 'phrase' && /^[()（）:：]$/.test(token.text))) ||
      reach === 'name'
    );
  }
  if (token.kind === 'cjk') return endsChinese(draft, tokens, i, reach, joins);
  if (/^(?:please|thanks|saying)$/.test(token.lower)) return true;
  if (reach === 'phrase') return leavesPhrase(draft, tokens, i);
  if (joins && (token.lower === 'and' || token.lower === 'or')) return false;
  if (token.lower === 'of' && /^\p{Lu}/u.test(next?.text ?? '')) return false;
  if (ENGLISH_BREAKS.has(token.lower)) return true;
  return /^\p{Ll}/u.test(token.text) && draft.vocabulary.has(token);
}

/** `… in the calendar`, `… and notify them`: a preposition before a word of the tool's, or `and` before a verb, leads out of a phrase. */
function leavesPhrase(draft: Draft, tokens: readonly Token[], i: number): boolean {
  const token = tokens[i] as Token;
  let next = tokens[i + 1];
  if (next !== undefined && /^(?:the|my|our|your|this)$/.test(next.lower)) next = tokens[i + 2];
  if (next === undefined) return false;
  if (token.lower === 'and') return isRequestVerb(next) || isStopWord(next.lower);
  return (
    /^(?:in|on|to|into|from|for|at|of|with)$/.test(token.lower) &&
    (draft.vocabulary.has(next) || draft.used.some((span) => overlaps(span, next))) &&
    /^\p{Ll}/u.test(next.text)
  );
}

function endsChinese(draft: Draft, tokens: readonly Token[], i: number, reach: Reach, joins: boolean): boolean {
  const token = tokens[i] as Token;
  const next = tokens[i + 1];
  if (token.text === '的') {
    // 关于年度预算的文档: what follows 的 is the tool's own noun, and the value ends here.
    return next === undefined || next.kind === 'mark' || draft.vocabulary.has(next) || reach === 'name';
  }
  if (reach === 'phrase') return false;
  if (joins && /^[和与跟及、]$/.test(token.text)) return false;
  return (
    CHINESE_VERBS.has(token.text) ||
    isStopWord(token.text) ||
    (token.text.length > 1 && draft.vocabulary.has(token) && !goesOn(draft, token, next))
  );
}

/** 会议 in 三楼会议室 is part of a longer name, although the tool knows the word. */
function goesOn(draft: Draft, token: Token, next: Token | undefined): boolean {
  return (
    next !== undefined &&
    next.kind === 'cjk' &&
    next.start === token.end &&
    next.text.length === 1 &&
    isContent(draft, next)
  );
}

function isLeadingWord(token: Token): boolean {
  return /^(?:the|a|an|that|some|is|are|为|是|一下|一个|一条|一封|一份|把|将)$/.test(token.lower);
}
