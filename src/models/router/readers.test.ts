import { describe, expect, it } from 'vitest';
import { compilePattern } from './match-pattern.ts';
import { type Moment, readTemporals } from './read-dates.ts';
import { durationIn, formatDuration } from './read-durations.ts';
import { readEntities } from './read-entities.ts';
import { parseHanNumber, readNumbers } from './read-numbers.ts';
import { findTimeZone } from './read-time-zones.ts';
import { detectLanguage, splitIdentifier, stem, tokenize } from './tokenize.ts';

// A Wednesday.
const now = Temporal.ZonedDateTime.from('2026-03-04T17:20:00+08:00[Asia/Shanghai]');

function show(moment: Moment | undefined): string {
  if (moment === undefined) return '';
  return [moment.date?.toString(), moment.time?.toString({ smallestUnit: 'minute' })].filter(Boolean).join('T');
}

function dates(text: string, past = false): string[] {
  return readTemporals(text, readNumbers(text, []), [], now, past).dates.map((span) =>
    [show(span.from), show(span.to)].filter(Boolean).join('..'),
  );
}

function numbers(text: string): string[] {
  return readNumbers(text, []).map((n) => [n.value, n.unit, n.currency].filter((part) => part !== undefined).join(' '));
}

describe('tokenize', () => {
  it('splits words, Chinese words, numbers and marks with their places', () => {
    const text = "Email Bob's 订单 at 10:30!";
    const tokens = tokenize(text);
    expect(tokens.map((token) => token.text)).toEqual(['Email', "Bob's", '订单', 'at', '10:30', '!']);
    for (const token of tokens) expect(text.slice(token.start, token.end)).toBe(token.text);
  });

  it.each([
    ['scheduling', 'schedules'],
    ['booked', 'booking'],
    ['cities', 'city'],
    ['translation', 'translate'],
    ['cancelled', 'cancelling'],
  ])('stems %s and %s alike', (a, b) => expect(stem(a)).toBe(stem(b)));

  it('keeps different words apart', () => {
    expect(stem('note')).not.toBe(stem('not'));
    expect(stem('status')).toBe('status');
  });

  it('splits identifiers', () =>
    expect(splitIdentifier('getHTTPStatus_v2-due date')).toEqual(['get', 'http', 'status', 'v2', 'due', 'date']));

  it.each([
    ['帮我 book 一个会议室', 'zh-CN'],
    ['what does 你好 mean', 'en'],
    ['42', undefined],
  ])('tells the language of %s', (text, language) => expect(detectLanguage(text)).toBe(language));
});

describe('readNumbers', () => {
  it.each([
    ['three hundred and fifty dollars', ['350 money USD']],
    ['$1,200.50', ['1200.5 money USD']],
    ['1.5k', ['1500']],
    ['a table for four people', ['4 person']],
    ['an hour and a half', ['1.5 hour']],
    ['两个半小时', ['2.5 hour']],
    ['三百五十元', ['350 money CNY']],
    ['1.2万', ['12000']],
    ['百分之十五', ['15 percent']],
    ['零下5度', ['-5 degree']],
    ['100 USD to EUR', ['100 money USD']],
    ['一下', []],
    ['星期三', []],
    ['1小时30分钟', ['1 hour', '30 minute']],
    ['one million two hundred thousand', ['1200000']],
  ])('%s', (text, expected) => expect(numbers(text)).toEqual(expected));

  it.each([
    ['三百五十', 350],
    ['一万二', 12_000],
    ['三百五', 350],
    ['一千零五', 1_005],
    ['二〇二六', 2026],
    ['两亿三千万', 230_000_000],
    ['十二', 12],
    ['万', undefined],
  ])('parseHanNumber %s', (text, expected) => expect(parseHanNumber(text)).toBe(expected));

  it('leaves blocked ranges alone', () =>
    expect(readNumbers('order 12 of 5', [{ start: 6, end: 8 }]).map((n) => n.value)).toEqual([5]));
});

describe('readTemporals', () => {
  it.each([
    ['tomorrow at 3pm', ['2026-03-05T15:00']],
    ['next Friday', ['2026-03-13']],
    ['Friday', ['2026-03-06']],
    ['in two weeks', ['2026-03-18']],
    ['in 45 minutes', ['2026-03-04T18:05']],
    ['day after tomorrow at noon', ['2026-03-06T12:00']],
    ['half past three', ['15:30']],
    ['at three pm', ['15:00']],
    ['on the 15th', ['2026-03-15']],
    ['last 7 days', ['2026-02-25..2026-03-04']],
    ['last month', ['2026-02-01..2026-02-28']],
    ['Q2', ['2026-04-01..2026-06-30']],
    ['end of next month', ['2026-04-30']],
    ['between 2pm and 4pm tomorrow', ['2026-03-05T14:00..2026-03-05T16:00']],
    ['tomorrow from 9 to 5', ['2026-03-05T09:00..2026-03-05T17:00']],
    ['from the 10th to the 15th', ['2026-03-10..2026-03-15']],
    ['2026-03-10T14:00:00Z', ['2026-03-10T22:00']],
    ['for 3 days', []],
    ['I may go', []],
    ['12.30 dollars', []],
    ['明天下午三点', ['2026-03-05T15:00']],
    ['下周五', ['2026-03-13']],
    ['两周后', ['2026-03-18']],
    ['下个月5号下午三点', ['2026-04-05T15:00']],
    ['今晚七点一刻', ['2026-03-04T19:15']],
    ['明晚8点半到10点', ['2026-03-05T20:30..2026-03-05T22:00']],
    ['下午2点到4点', ['14:00..16:00']],
    ['月底', ['2026-03-31']],
    ['15号', ['2026-03-15']],
    ['3月10号到15号', ['2026-03-10..2026-03-15']],
    ['从下周一到周三', ['2026-03-09..2026-03-11']],
    ['最近7天', ['2026-02-25..2026-03-04']],
    ['上个月', ['2026-02-01..2026-02-28']],
    ['今年第一季度', ['2026-01-01..2026-03-31']],
    ['明年3月5日', ['2027-03-05']],
    ['中午1点', ['13:00']],
    ['半小时后', ['2026-03-04T17:50']],
  ])('%s', (text, expected) => expect(dates(text)).toEqual(expected));

  it('reads a bare day as the last one in a tool about the past', () => {
    expect(dates('on Friday', true)).toEqual(['2026-02-27']);
    expect(dates('周五', true)).toEqual(['2026-02-27']);
    expect(dates('Feb 3', true)).toEqual(['2026-02-03']);
    expect(dates('Feb 3')).toEqual(['2027-02-03']);
  });

  it('counts hours across a change of the clocks in the given zone', () => {
    const eve = Temporal.ZonedDateTime.from('2026-03-28T20:00:00+01:00[Europe/Berlin]');
    const [span] = readTemporals('in 8 hours', readNumbers('in 8 hours', []), [], eve, false).dates;
    expect(show(span?.from)).toBe('2026-03-29T05:00');
  });

  it('keeps durations as durations', () => {
    const text = 'for 1 hour 30 minutes';
    const [duration] = readTemporals(text, readNumbers(text, []), [], now, false).durations;
    expect(duration && durationIn(duration, 'minute')).toBe(90);
    expect(duration && formatDuration(duration)).toBe('PT1H30M');
  });
});

describe('readEntities', () => {
  it('reads addresses, identifiers and quotes', () => {
    const text = 'send “hi, 3pm” to bob@acme.com re ORD-2024-1, see https://x.io/a?b=1. #42 +86 138 0013 8000';
    expect(readEntities(text).map((entity) => `${entity.kind}:${entity.value}`)).toEqual([
      'quote:hi, 3pm',
      'email:bob@acme.com',
      'code:ORD-2024-1',
      'url:https://x.io/a?b=1',
      'code:#42',
      'phone:+86 138 0013 8000',
    ]);
  });

  it('takes no apostrophe, date or size for anything', () =>
    expect(readEntities("don't at 3pm, 5kg, 2026-03-10, the dogs' toys, Q3")).toEqual([]));

  it('closes a quote beyond the part that is read', () =>
    expect(readEntities('say “abc', 'def” end')[0]?.value).toBe('abcdef'));
});

describe('compilePattern', () => {
  it.each([
    ['^ORD-\\d{6}$', 'ORD-123456', true],
    ['^ORD-\\d{6}$', 'ORD-12345', false],
    ['^[A-Z]{2,3}-[0-9]+$', 'AB-1', true],
    ['^(?:foo|ba[rz])?x*$', 'bazxx', true],
    ['^[^@\\s]+@\\w+\\.\\w+$', 'a@b.co', true],
    ['^a{0}b$', 'ab', false],
  ])('%s on %s', (pattern, text, expected) => expect(compilePattern(pattern)?.(text)).toBe(expected));

  it('answers in linear time where a backtracking engine would not', () =>
    expect(compilePattern('^(a+)+$')?.(`${'a'.repeat(190)}b`)).toBe(false));

  it.each(['^(?=a)a$', '^(a)\\1$', 'abc', '^(a{1,100}){1,100}$', '^(((){999}){999}){999}$', `^${'a'.repeat(300)}$`])(
    'ignores %s',
    (pattern) => expect(compilePattern(pattern)).toBeUndefined(),
  );
});

describe('findTimeZone', () => {
  it.each([
    ['what time is it in New York', 'America/New_York'],
    ['东京现在几点', 'Asia/Tokyo'],
    ['use Europe/Berlin', 'Europe/Berlin'],
    ['what time is it', undefined],
  ])('%s', (text, zone) => expect(findTimeZone(text)?.zone).toBe(zone));
});
