import type { Token } from './tokenize.ts';

const VERBS: ReadonlySet<string> = new Set(
  `set show raise put log book give make create add open file submit post publish send write draft get find search look check see tell let schedule plan arrange reserve
  order buy cancel delete remove change update edit modify move transfer switch upgrade turn enable disable start stop export download pull run generate calculate compute
  convert translate track invite hire explain describe recommend suggest remind record register request apply report issue return refund reset print share approve
  enter note jot schedule need want try use call ask bring take keep`.split(/\s+/),
);
const SURNAMES = new Set(
  '王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪季柳俞',
);
const COMPOUND_SURNAMES = /^(?:欧阳|司马|上官|诸葛|东方|皇甫|尉迟|慕容|令狐)/;

/** Tells whether an English word opens a request (`raise`, `show`) rather than belongs to its object. */
export function isRequestVerb(token: Token): boolean {
  return VERBS.has(token.lower);
}

/** Tells whether a Chinese text looks like a person's name or form of address: a surname with one or two characters, or 老王, 王总, 陈医生. */
export function isChineseName(text: string): boolean {
  const han = text.replace(/[·・]/g, '');
  if (COMPOUND_SURNAMES.test(han)) return han.length >= 3 && han.length <= 5;
  const start = /^[老小阿]/.test(han) ? 1 : 0;
  return SURNAMES.has(han.charAt(start)) && han.length >= 2 && han.length <= 5;
}
