import type { Span } from './types.ts';

const CHINESE_CITIES = `北京 Asia/Shanghai 上海 Asia/Shanghai 中国 Asia/Shanghai 香港 Asia/Hong_Kong 台北 Asia/Taipei 东京 Asia/Tokyo 日本 Asia/Tokyo 首尔 Asia/Seoul 新加坡 Asia/Singapore 曼谷 Asia/Bangkok 迪拜 Asia/Dubai
莫斯科 Europe/Moscow 柏林 Europe/Berlin 德国 Europe/Berlin 巴黎 Europe/Paris 法国 Europe/Paris 伦敦 Europe/London 英国 Europe/London 马德里 Europe/Madrid 罗马 Europe/Rome 纽约 America/New_York 芝加哥 America/Chicago
洛杉矶 America/Los_Angeles 旧金山 America/Los_Angeles 多伦多 America/Toronto 圣保罗 America/Sao_Paulo 悉尼 Australia/Sydney 墨尔本 Australia/Melbourne`;
const OTHER_NAMES = `beijing Asia/Shanghai san-francisco America/Los_Angeles boston America/New_York washington America/New_York seattle America/Los_Angeles mumbai Asia/Kolkata delhi Asia/Kolkata munich Europe/Berlin
frankfurt Europe/Berlin geneva Europe/Zurich utc UTC gmt UTC`;
const IANA_NAME = /(?<![\w/])[A-Z][A-Za-z]+\/[A-Z][A-Za-z_]+(?:\/[A-Z][A-Za-z_]+)?(?![\w/])/;

const zones = Intl.supportedValuesOf('timeZone');
const cities = new Map<string, string>(
  zones.map((zone) => [(zone.split('/').at(-1) ?? zone).replaceAll('_', ' ').toLowerCase(), zone]),
);
for (const table of [CHINESE_CITIES, OTHER_NAMES]) {
  const words = table.split(/\s+/);
  for (let i = 0; i + 1 < words.length; i += 2)
    cities.set((words[i] ?? '').replaceAll('-', ' '), words[i + 1] ?? 'UTC');
}

/** The first IANA time zone a text names, by its identifier or by a city; `undefined` when it names none. */
export function findTimeZone(text: string): (Span & { readonly zone: string }) | undefined {
  const written = IANA_NAME.exec(text);
  if (written !== null && zones.includes(written[0]))
    return { start: written.index, end: written.index + written[0].length, zone: written[0] };
  const words = [...text.matchAll(/\p{Script=Latin}+|\p{Script=Han}/gu)];
  for (const [i, word] of words.entries()) {
    let key = '';
    for (const next of words.slice(i, i + 3)) {
      const han = /\p{Script=Han}/u.test(next[0]);
      key += key === '' || han ? next[0].toLowerCase() : ` ${next[0].toLowerCase()}`;
      const zone = key.length > 1 ? cities.get(key) : undefined;
      if (zone !== undefined) return { start: word.index, end: next.index + next[0].length, zone };
    }
  }
  return undefined;
}
