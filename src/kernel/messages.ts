import { MessageFormat } from 'messageformat';

/** One language's texts: key → MessageFormat 2 (Unicode LDML 48) source. */
export type Catalogue<Key extends string> = Readonly<Record<Key, string>>;

/** Languages that every catalogue is complete in. */
export const catalogueLocales = ['en', 'zh-CN'] as const;

/** A text in a language, its variables filled in. Throws for a variable that the text needs and `values` lacks. */
export type Messages<Key extends string> = (
  locale: string,
  key: Key,
  values?: Readonly<Record<string, unknown>>,
) => string;

/** The catalogue language nearest to a locale: Chinese of any kind reads zh-CN, everyone else en. */
export function catalogueLocale(locale: string): (typeof catalogueLocales)[number] {
  return locale.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

/** Texts of one module from its catalogues; each is parsed when first used. */
export function createMessages<Key extends string>(
  catalogues: Readonly<Record<(typeof catalogueLocales)[number], Catalogue<Key>>>,
): Messages<Key> {
  const parsed = new Map<string, MessageFormat>();
  return (locale, key, values = {}) => {
    const language = catalogueLocale(locale);
    const id = `${language} ${key}`;
    let message = parsed.get(id);
    if (message === undefined) {
      // Isolation marks would stand as odd characters in links and plain-text mails.
      message = new MessageFormat(language, catalogues[language][key], { bidiIsolation: 'none' });
      parsed.set(id, message);
    }
    return message.format({ ...values }, (error) => {
      throw error;
    });
  };
}
