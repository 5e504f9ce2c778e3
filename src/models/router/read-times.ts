import type { DateSpan } from './read-dates.ts';
import { parseHanNumber } from './read-numbers.ts';

const HAN = '[零〇一二两三四五六七八九十]';
const PART = '凌晨|清晨|清早|早上|早晨|上午|中午|正午|午后|下午|傍晚|晚上|夜里|夜晚|深夜|午夜|晚间|早|晚';
const DAY = '大前|前|昨|今|明|大后|后';
const CHINESE_TIME = new RegExp(
  `(?:(${DAY})[天日]?)?(${PART})?[的\\s]?(?:(\\d{1,2}|${HAN}{1,3})(?:点钟?|时(?![间候区长]))(整|半|一刻|三刻|(?:\\d{1,2}|${HAN}{1,3})分?)?(?!\\d)|(?<!\\d)(\\d{1,2})[:：](\\d{2})(?!\\d))`,
  'g',
);
const ENGLISH_HOURS = [
  'twelve',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
];
const HOUR = `(${ENGLISH_HOURS.join('|')}|\\d{1,2})`;
const MERIDIEM = String.raw`(?:\s*(a\.?m\.?|p\.?m\.?)(?![a-z])|\s+in the (morning|afternoon|evening))?`;
const SPOKEN_TIME = new RegExp(
  String.raw`(?<![a-z\d])(half past|quarter past|quarter to)\s+${HOUR}(?![a-z\d:])${MERIDIEM}`,
  'gi',
);
const WORD_TIME = new RegExp(
  String.raw`(?<![a-z\d])(?:at\s+)?(${ENGLISH_HOURS.join('|')})(?:\s+(thirty|fifteen|forty-five))?(?:\s*o['’]?clock)?(?![a-z\d])${MERIDIEM}`,
  'gi',
);
const DAY_OFFSET: { readonly [day: string]: number } = { 大前: -3, 前: -2, 昨: -1, 今: 0, 明: 1, 后: 2, 大后: 3 };
const MINUTES: { readonly [word: string]: number } = {
  整: 0,
  半: 30,
  一刻: 15,
  三刻: 45,
  thirty: 30,
  fifteen: 15,
  'forty-five': 45,
};

/** Reads Chinese times of day (下午三点一刻, 明晚8点半, 15:30), with the day when it is written on the time. */
export function readChineseTimes(text: string, today: Temporal.PlainDate): DateSpan[] {
  const spans: DateSpan[] = [];
  for (const match of text.matchAll(CHINESE_TIME)) {
    const [whole, day, part, hourWord, minuteWord, clockHour, clockMinute] = match;
    if (hourWord === undefined && day === undefined && part === undefined) continue;
    if (day !== undefined && part === undefined && !/[天日]/.test(whole.charAt(day.length))) continue;
    const hour = Number(clockHour ?? (/\d/.test(hourWord ?? '') ? hourWord : parseHanNumber(hourWord ?? '')));
    const minute = clockMinute === undefined ? readMinute(minuteWord) : Number(clockMinute);
    const shifted = shiftHour(hour, part, hourWord !== undefined);
    if (!(shifted < 24 && minute < 60)) continue;
    const date = day === undefined ? undefined : today.add({ days: DAY_OFFSET[day] ?? 0 });
    const from = { time: new Temporal.PlainTime(shifted, minute), ...(date === undefined ? {} : { date }) };
    spans.push({
      start: match.index,
      end: match.index + whole.length,
      from,
      period: false,
      ...(part === undefined ? { loose: true } : {}),
    });
  }
  return spans;
}

/** Reads the English times chrono leaves out: `half past three`, `quarter to 5`, `at three pm`, `seven o'clock`. */
export function readSpokenTimes(text: string): DateSpan[] {
  const spans: DateSpan[] = [];
  for (const match of text.matchAll(SPOKEN_TIME)) {
    const [whole, lead = '', hourWord = '', meridiem, part] = match;
    const base = englishHour(hourWord, meridiem, part);
    const offset = /to$/i.test(lead) ? -15 : /^half/i.test(lead) ? 30 : 15;
    if (base !== undefined)
      spans.push(timeSpan(match.index, whole, new Temporal.PlainTime(base).add({ minutes: offset })));
  }
  for (const match of text.matchAll(WORD_TIME)) {
    const [whole, hourWord = '', minuteWord, meridiem, part] = match;
    if (!/^at\s|clock/i.test(whole) && meridiem === undefined && part === undefined) continue;
    if (spans.some((span) => match.index < span.end && span.start < match.index + whole.length)) continue;
    const base = englishHour(hourWord, meridiem, part);
    if (base !== undefined)
      spans.push(
        timeSpan(match.index, whole, new Temporal.PlainTime(base, MINUTES[minuteWord?.toLowerCase() ?? ''] ?? 0)),
      );
  }
  return spans;
}

/** A bare hour from one to six is read as the afternoon, as people mean it in appointments. */
export function assumeAfternoon(hour: number): number {
  return hour >= 1 && hour <= 6 ? hour + 12 : hour;
}

function timeSpan(start: number, whole: string, time: Temporal.PlainTime): DateSpan {
  return { start, end: start + whole.trimEnd().length, from: { time }, period: false };
}

function readMinute(word: string | undefined): number {
  if (word === undefined) return 0;
  const known = MINUTES[word];
  if (known !== undefined) return known;
  const plain = word.replace('分', '');
  return /^\d/.test(plain) ? Number(plain) : (parseHanNumber(plain) ?? 0);
}

function shiftHour(hour: number, part: string | undefined, spoken: boolean): number {
  if (part === undefined) return spoken ? assumeAfternoon(hour) : hour;
  if (/^(?:下午|午后|傍晚|晚|夜|深夜)/.test(part))
    return hour < 12 ? hour + 12 : hour === 12 && !part.startsWith('下') ? 0 : hour;
  if (/^(?:中午|正午)/.test(part)) return hour <= 3 ? hour + 12 : hour;
  return hour === 12 && !/^上午/.test(part) ? 0 : hour;
}

function englishHour(word: string, meridiem: string | undefined, part: string | undefined): number | undefined {
  const index = ENGLISH_HOURS.indexOf(word.toLowerCase());
  const hour = index >= 0 ? index || 12 : Number(word);
  if (hour > 23) return undefined;
  const late = /^p/i.test(meridiem ?? '') || /^(?:afternoon|evening)/i.test(part ?? '');
  if (meridiem === undefined && part === undefined) return assumeAfternoon(hour);
  return late ? (hour % 12) + 12 : hour % 12;
}
