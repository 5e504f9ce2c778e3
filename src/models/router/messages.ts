import type { Language } from './types.ts';

/** The texts the router writes itself; `{tool}`, `{items}`, `{count}` and `{names}` are filled in. */
export type RouterMessages = {
  readonly ask: string;
  readonly askItem: string;
  readonly noTool: string;
  readonly noToolWithNames: string;
  readonly cancelled: string;
  readonly emptyResult: string;
  readonly moreLines: string;
  readonly yes: string;
  readonly no: string;
  readonly oneOf: string;
};

/** The router's catalogue, complete in each language. */
export const ROUTER_MESSAGES: { readonly [language in Language]: RouterMessages } = {
  en: {
    ask: 'To use {tool} I still need:\n{items}',
    askItem: '- {name}',
    noTool: 'No tool fits this request.',
    noToolWithNames: 'No tool fits this request. Available tools: {names}.',
    cancelled: 'Cancelled.',
    emptyResult: 'The tool returned nothing.',
    moreLines: '… {count} more lines',
    yes: 'yes',
    no: 'no',
    oneOf: 'one of: {names}',
  },
  'zh-CN': {
    ask: '调用 {tool} 还需要：\n{items}',
    askItem: '- {name}',
    noTool: '没有适合这个请求的工具。',
    noToolWithNames: '没有适合这个请求的工具。可用工具：{names}。',
    cancelled: '已取消。',
    emptyResult: '工具没有返回内容。',
    moreLines: '……还有 {count} 行',
    yes: '是',
    no: '否',
    oneOf: '可选：{names}',
  },
};

/** Fills the `{name}` places of a text. */
export function formatMessage(text: string, values: { readonly [name: string]: string }): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => values[name] ?? place);
}
