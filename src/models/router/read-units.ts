/** A unit of measure, time or counting that a number can carry. */
export type Unit = string;

const UNIT_WORDS: { readonly [unit: string]: string } = {
  second: 'seconds second secs sec 秒钟 秒',
  minute: 'minutes minute mins min 分钟',
  hour: 'hours hour hrs hr h 个小时 小时 个钟头 钟头 个钟',
  day: 'days day 天',
  week: 'weeks week 个星期 个礼拜 星期 礼拜 周',
  month: 'months month 个月',
  year: 'years year yrs yr 年',
  night: 'nights night 个晚上 晚',
  person:
    'people persons person guests guest passengers passenger adults adult attendees participants seats seat visitors pax 个人 人 位 名 个客人 成人 个成人 大人 个大人',
  child: 'children child kids kid 个儿童 个小孩 个孩子 儿童 小孩',
  room: 'rooms room 间',
  star: 'stars star 星级 星 颗星',
  percent: 'percent % per-cent 个百分点',
  degree: 'degrees degree °C °F ℃ ℉ ° 摄氏度 华氏度 度',
  kilometer: 'kilometers kilometer kilometres kilometre km 公里 千米',
  mile: 'miles mile mi 英里',
  meter: 'meters meter metres metre m 米',
  centimeter: 'centimeters centimeter centimetres centimetre cm 厘米',
  foot: 'feet foot ft 英尺',
  inch: 'inches inch 英寸 寸',
  kilogram: 'kilograms kilogram kilos kilo kgs kg 公斤 千克',
  gram: 'grams gram g 克',
  pound: 'lbs lb 磅',
  ounce: 'ounces ounce oz 盎司',
  liter: 'liters liter litres litre 升',
  gallon: 'gallons gallon 加仑',
  page: 'pages page 页',
  floor: 'floor floors 楼 层',
  line: 'lines line 行',
  byte: 'GB MB KB TB',
  item: 'items item pieces piece units unit copies copy pcs boxes box tickets ticket times results result entries records rows 件 张 份 台 本 盒 箱 瓶 条 只 套 支 双 部 包 次 杯 把 篇 颗 片 根 辆 幅 项 批 个',
};

const CURRENCY_WORDS: { readonly [code: string]: string } = {
  USD: 'us-dollars us-dollar dollars dollar bucks usd 美元 美金 美刀',
  CNY: 'yuan rmb cny renminbi 元人民币 块人民币 人民币 块钱 元钱 元 块',
  EUR: 'euros euro eur 欧元',
  GBP: 'british-pounds british-pound pounds-sterling pounds pound gbp quid 英镑',
  JPY: 'japanese-yen yen jpy 日元 日币',
  HKD: 'hong-kong-dollars hong-kong-dollar hkd 港币 港元',
  KRW: 'korean-won korean-won won krw 韩元',
  AUD: 'australian-dollars australian-dollar aud 澳元',
  CAD: 'canadian-dollars canadian-dollar cad 加元',
  CHF: 'swiss-francs francs chf 瑞士法郎',
  SGD: 'singapore-dollars singapore-dollar sgd 新加坡元 新币',
  INR: 'indian-rupees rupees inr 卢比',
};

const SIGNS: { readonly [sign: string]: string } = {
  $: 'USD',
  '€': 'EUR',
  '£': 'GBP',
  '¥': 'CNY',
  '￥': 'CNY',
  '₩': 'KRW',
  '₹': 'INR',
};

type Entry = { readonly unit: Unit; readonly currency?: string; readonly word: string };
const entries = buildEntries();
const currencyByWord = new Map(
  entries.flatMap(({ currency, word }) => (currency === undefined ? [] : [[word, currency] as const])),
);
const wordOfUnit = new Map<string, Unit>();
for (const entry of entries) if (entry.currency === undefined) wordOfUnit.set(entry.word.toLowerCase(), entry.unit);

/** Unit words beyond this length do not exist, which bounds the look-ahead. */
const LOOK_AHEAD = 24;

/** Reads the unit or currency that follows a number ending at `at`; `half` tells of 一个半小时, whose half stands before the unit. */
export function readUnit(
  text: string,
  at: number,
): { unit: Unit; currency?: string; end: number; half: boolean } | undefined {
  const ahead = text.slice(at, at + LOOK_AHEAD);
  const gap = /^[ -]?/.exec(ahead)?.[0].length ?? 0;
  const half = ahead.startsWith('个半');
  const rest = half ? ahead.slice(2) : ahead.slice(gap);
  const lower = rest.toLowerCase().replaceAll(' ', '-');
  const initial = index.get(lower.charAt(0));
  const entry = initial?.find(({ word }) => {
    if (!(word.length <= 3 && /^[A-Z]/.test(word) ? rest.startsWith(word) : lower.startsWith(word.toLowerCase())))
      return false;
    return !/[a-z]$/i.test(word) || !/^[a-z]/i.test(rest.slice(word.length));
  });
  if (entry === undefined) return undefined;
  return {
    unit: entry.unit,
    end: at + (half ? 2 : gap) + entry.word.length,
    half,
    ...(entry.currency === undefined ? {} : { currency: entry.currency }),
  };
}

/** Reads a currency sign or ISO 4217 code that ends right before `at`. */
export function readCurrencyBefore(text: string, at: number): { currency: string; start: number } | undefined {
  const end = text.charAt(at - 1) === ' ' ? at - 1 : at;
  const before = text.slice(Math.max(0, end - 3), end);
  const sign = SIGNS[before.at(-1) ?? ''];
  if (sign !== undefined) {
    const region = /(?:US|HK)\$$/.exec(before)?.[0];
    return { currency: region === 'HK$' ? 'HKD' : sign, start: end - (region?.length ?? 1) };
  }
  const [, code = ''] = /(?:^|[^A-Za-z])([A-Z]{3}) ?$/.exec(text.slice(Math.max(0, at - 5), at)) ?? [];
  if (code === 'RMB') return { currency: 'CNY', start: text.lastIndexOf(code, at) };
  return CURRENCY_WORDS[code] === undefined ? undefined : { currency: code, start: text.lastIndexOf(code, at) };
}

/** The unit a word of a parameter's name or description stands for (`minutes`, 分钟, `guests`). */
export function unitOfWord(word: string): Unit | undefined {
  return wordOfUnit.get(word);
}

/** The ISO 4217 code a word names: a code in capitals, or the name of a currency in any case. */
export function currencyOfWord(word: string): string | undefined {
  if (/^[A-Z]{3}$/.test(word)) return CURRENCY_WORDS[word] === undefined ? (word === 'RMB' ? 'CNY' : undefined) : word;
  const lower = word.toLowerCase().replaceAll(' ', '-');
  return lower.length < 2 || lower === 'won' ? undefined : currencyByWord.get(lower);
}

/** Seconds in a unit of time of fixed length; `undefined` for the others. */
export function secondsOf(unit: Unit | undefined): number | undefined {
  return SECONDS[unit ?? ''];
}

/** The value in another unit of the same metric dimension (700 g are 0.7 kg); `undefined` where the units are of different ones. */
export function convertMetric(value: number, from: Unit, to: Unit): number | undefined {
  const [a, b] = [METRIC[from], METRIC[to]];
  if (a === undefined || b === undefined || a[0] !== b[0]) return undefined;
  return Number(((value * a[1]) / b[1]).toPrecision(12));
}

const METRIC: { readonly [unit: string]: readonly [dimension: string, factor: number] } = {
  gram: ['mass', 1],
  kilogram: ['mass', 1_000],
  centimeter: ['length', 1],
  meter: ['length', 100],
  kilometer: ['length', 100_000],
};

const SECONDS: { readonly [unit: string]: number } = { second: 1, minute: 60, hour: 3_600, day: 86_400, week: 604_800 };

function buildEntries(): Entry[] {
  const list: Entry[] = [];
  for (const [unit, words] of Object.entries(UNIT_WORDS))
    for (const word of words.split(' ')) list.push({ unit, word });
  for (const [currency, words] of Object.entries(CURRENCY_WORDS))
    for (const word of words.split(' ')) list.push({ unit: 'money', currency, word });
  return list.sort((a, b) => b.word.length - a.word.length);
}

const index = new Map<string, Entry[]>();
for (const entry of entries) {
  const initial = entry.word.charAt(0).toLowerCase();
  index.set(initial, [...(index.get(initial) ?? []), entry]);
}
