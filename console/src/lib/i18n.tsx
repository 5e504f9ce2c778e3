import { MessageFormat } from 'messageformat';
import { createContext, type ReactNode, use, useMemo } from 'react';

/** A message of the catalogue. Both catalogues have every key: a test compares them. */
export type MessageKey = keyof typeof import('#messages/en.json');

/** Values that a message's placeholders take. */
export type MessageValues = Record<string, string | number | bigint>;

/** Formats a message of the reader's language. */
export type Translate = (key: MessageKey, values?: MessageValues) => string;

/** The languages the console is written in, each named in itself. */
export const languages = [
  { locale: 'en', name: 'English' },
  { locale: 'zh-CN', name: '简体中文' },
] as const;

/** A language the console is written in. */
export type Locale = (typeof languages)[number]['locale'];

const storageKey = 'lintel.locale';

const catalogues: Record<Locale, () => Promise<Record<string, string>>> = {
  en: async () => (await import('#messages/en.json')).default,
  'zh-CN': async () => (await import('#messages/zh-CN.json')).default,
};

type Language = { locale: Locale; dir: 'ltr' | 'rtl'; t: Translate; keys: readonly string[] };

const LanguageContext = createContext<Language | null>(null);

/** The reader's language: the one chosen here before, else the browser's, else English. */
export function preferredLocale(): Locale {
  const wanted = [keptLocale(), ...navigator.languages];
  for (const each of wanted) {
    if (each === null) continue;
    if (each.toLowerCase().startsWith('zh')) return 'zh-CN';
    if (each.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}

/** Keeps the choice of language and reads the app again in it. */
export function chooseLocale(locale: Locale): void {
  localStorage.setItem(storageKey, locale);
  location.reload();
}

/** Loads a language's messages; sets `lang` and `dir` of the page. */
export async function loadLanguage(locale: Locale): Promise<Language> {
  const messages = await catalogues[locale]();
  const dir = directionOf(locale);
  document.documentElement.lang = locale;
  document.documentElement.dir = dir;
  return { locale, dir, t: translator(locale, messages), keys: Object.keys(messages) };
}

/** Gives the messages to everything inside. */
export function LanguageProvider({ language, children }: { language: Language; children: ReactNode }) {
  return <LanguageContext value={language}>{children}</LanguageContext>;
}

/** The reader's language. */
export function useLanguage(): Language {
  const language = use(LanguageContext);
  if (language === null) throw new Error('useLanguage outside LanguageProvider');
  return language;
}

/** The function that formats messages (Unicode MessageFormat 2). */
export function useT(): Translate {
  return useLanguage().t;
}

/** Texts for words that the server sends, such as states: the word itself where the catalogue does not know it. */
export function useWord(group: string): (word: string) => string {
  const t = useT();
  return useMemo(() => (word: string) => t(`${group}.${word}` as MessageKey) || word, [t, group]);
}

/** All words of a group with their texts, in the reader's alphabetical order: for lists to choose from. */
export function useWords(group: string): { value: string; label: string }[] {
  const { t, keys, locale } = useLanguage();
  return useMemo(() => {
    const order = new Intl.Collator(locale);
    return keys
      .filter((key) => key.startsWith(`${group}.`))
      .map((key) => ({ value: key.slice(group.length + 1), label: t(key as MessageKey) }))
      .sort((a, b) => order.compare(a.label, b.label));
  }, [t, keys, locale, group]);
}

/** A translator over a catalogue; an unknown key gives the empty string. */
export function translator(locale: string, messages: Readonly<Record<string, string>>): Translate {
  const compiled = new Map<string, MessageFormat>();
  // Isolation marks are invisible characters; they are needed only where the surrounding text runs the other way.
  const bidiIsolation = directionOf(locale) === 'rtl' ? 'default' : 'none';
  return (key, values) => {
    const source = messages[key];
    if (source === undefined) return '';
    if (!source.includes('{') && !source.includes('\\')) return source;
    let message = compiled.get(key);
    if (message === undefined) {
      message = new MessageFormat(locale, source, { bidiIsolation });
      compiled.set(key, message);
    }
    return message.format(values);
  };
}

function keptLocale(): string | null {
  try {
    return localStorage.getItem(storageKey);
  } catch {
    // Storage is switched off in this browser: its language it is.
    return null;
  }
}

function directionOf(locale: string): 'ltr' | 'rtl' {
  return /^(ar|he|fa|ur)\b/.test(locale) ? 'rtl' : 'ltr';
}
