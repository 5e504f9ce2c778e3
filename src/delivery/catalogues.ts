// biome-ignore lint/style/noRestrictedImports: a catalogue of texts, not a nested module
import en from './messages/en.json' with { type: 'json' };
// biome-ignore lint/style/noRestrictedImports: a catalogue of texts, not a nested module
import zhCN from './messages/zh-CN.json' with { type: 'json' };

/** The texts of mails by language. */
export const catalogues = { en, 'zh-CN': zhCN } as const;

/** Names of the texts. */
export type TextKey = keyof typeof en;
