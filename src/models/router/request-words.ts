import { actionKind } from './concepts.ts';
import type { ReadMessage } from './read-message.ts';
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

const QUESTION =
  /^\s*(?:how (?:much|many|is|are|do|does|long|far)|what|which|when|where|who|why|is|are|does|do|did|any)\b|多少|几[个件天]|什么|哪|怎么|为何|为什么/i;
const POLITE =
  /\b(?:please|pls|can (?:you|i|we)|could (?:you|i|we)|would you|need|want|i'd|let's|help)\b|请|帮|麻烦|我要|我想|想要|需要|能不能|能否|可以|可否|给我/i;
const ASKING = /\?|？|\b(?:will|wish|must|should)\b|一下|吧|把|吗|呢/i;
const COMMENT =
  /\b(?:already|thanks?|thank you|sorry|was|were|got|yuck|ugh|wow|haha|lol|annoying|awesome|great|lovely|nice|love|hate|happy|sad|glad)\b|已经|感谢|谢谢|辛苦|抱歉|不好意思|哈哈|特别[好棒差冷热]|太[好棒差冷热烦慢]|真[好棒差烦慢]|好[烦累开]|讨厌|喜欢|收到了/i;
const THANKS = /thank you|thanks|谢谢|感谢/gi;

/** Tells whether a message wants to know something, rather than have it done: `how many …`, not `can you …`. */
export function isQuestion(text: string): boolean {
  return QUESTION.test(text) && !POLITE.test(text);
}

/** Tells whether a message only remarks on something: it comments or gives thanks, and neither asks nor begins with something to do. */
export function isStatement(message: ReadMessage): boolean {
  const text = message.text.replace(THANKS, ' ');
  const [first] = message.tokens;
  const opens =
    first !== undefined &&
    (isRequestVerb(first) ||
      message.concepts.some(
        (hit) =>
          hit.start === first.start &&
          actionKind(hit.concept) !== undefined &&
          first.kind === 'cjk' &&
          hit.end === first.end &&
          !COMMENT.test(message.text.slice(hit.end, hit.end + 4)),
      ));
  return !opens && !QUESTION.test(text) && !POLITE.test(text) && !ASKING.test(text) && COMMENT.test(message.text);
}
