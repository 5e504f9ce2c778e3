import { isAction, kindOf } from './concepts.ts';
import type { ReadMessage } from './read-message.ts';
import { isStopWord } from './stop-words.ts';
import { stem, type Token } from './tokenize.ts';

const VERBS: ReadonlySet<string> = new Set(
  `save store block hold pull grab fetch prepare fill sort give file record check view display read verify confirm process handle pass drop swap bump kick spin set show raise put log book give make create add open file submit post publish send write draft get find search look check see tell let schedule plan arrange reserve
  order buy cancel delete remove change update edit modify move transfer switch upgrade turn enable disable start stop export download pull run generate calculate compute
  convert translate track invite hire explain describe recommend suggest remind record register request apply report issue return refund reset print share approve
  know browse learn speak say enter note jot schedule need want try use call ask bring take keep`.split(/\s+/),
);
const verbStems: ReadonlySet<string> = new Set([...VERBS].map(stem));
const SURNAMES = new Set(
  '王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文施洪季柳俞',
);
const COMPOUND_SURNAMES = /^(?:欧阳|司马|上官|诸葛|东方|皇甫|尉迟|慕容|令狐)/;

/** Tells whether an English word opens a request (`raise`, `show`) rather than belongs to its object. */
export function isRequestVerb(token: Token): boolean {
  return VERBS.has(token.lower);
}

/** The same for a stem. */
export function isRequestStem(word: string): boolean {
  return verbStems.has(word);
}

/** Tells whether a Chinese text looks like a person's name or form of address: a surname with one or two characters, or 老王, 王总, 陈医生. */
export function isChineseName(text: string): boolean {
  const han = text.replace(/[·・]/g, '');
  if (COMPOUND_SURNAMES.test(han)) return han.length >= 3 && han.length <= 5;
  const start = /^[老小阿]/.test(han) ? 1 : 0;
  return SURNAMES.has(han.charAt(start)) && han.length >= 2 && han.length <= 5;
}

const QUESTION =
  /^\s*(?:(?:hi|hey|hello)(?: there| all)?[\s,.!]+)?(?:how (?:much|many|is|are|do|does|long|far)|what|which|when|where|who|whose|why|am|is|are|has|have|was|were|does|do|did|any)\b|多少|几[个件天点]|谁|什么|哪|怎么|为何|为什么/i;
const POLITE =
  /\b(?:please|pls|can (?:you|i|we)|could (?:you|i|we)|would you|need|want|i'd|let's|help)\b|请(?![假病年产事陪育婚丧客教])|帮(?!助)|麻烦|我要|我想|想要|需要|能不能|能否|可以|可否|给我/i;
const ASKING = /\?|？|\b(?:will|wish|must|should)\b|一下|吧|把|吗|呢/i;
const COMMENT =
  /\b(?:already|thanks?|thank you|sorry|was|were|got|yuck|ugh|wow|haha|lol|annoying|awesome|great|lovely|nice|love|hate|happy|sad|glad|went|freezing|smells|yay|hooray|amazing|fantastic|terrible|awful|wonderful|excellent|horrible|perfect|beautiful|boring|bored|fun|tired|too (?!much\b|many\b)\w+)\b|已经|感谢|谢谢|辛苦|抱歉|不好意思|哈哈|特别[好棒差冷热]|太[好棒差冷热烦慢]|真[好棒差烦慢]|好[烦累开]|讨厌|喜欢|收到了|不错|漂亮|划算|很满意|顺利|又.{1,8}了$|烦死|太.{1,2}了|很[顺好棒开]/i;
const ABOUT_THE_WORLD =
  /^\s*(?:how (?:do|does|did|can|could|should|would|to)\b|what (?:does|do)\b|what (?:is|are|'s) (?:the )?(?:best|meaning|point|difference)\b|why\b|where (?:can|do|could|should)\b|who\b|should\b)/i;
const TROUBLE: ReadonlySet<string> = new Set(
  'forgot forgotten forget lost lose missing broken broke damaged wrong late stuck work working stand stands happen happens happening happened come comes coming came arrive arrives arrived reach reached done ready gone'.split(
    ' ',
  ),
);
const WISHES: ReadonlySet<string> = new Set(
  "i we i'd want wanna need like to help me let let's kindly just also".split(' '),
);
const LEAD_INS: ReadonlySet<string> = new Set(['please', 'can', 'could', 'would', 'you', 'hi', 'hey', 'hello', ',']);
/** A verb further on than this does not open the request. */
const OPENING_TOKENS = 3;
/** What somebody or something else is or has is told too, unless it does not work. */
const THIRD_PARTY =
  /^\s*(?:my|our|the|his|her|their|he|she|they|it) (?:[\w'’-]+ ){0,2}(?:is|are|was|were|has|have|had|loves?|likes?|hates?|seems?)\b(?!.*\b(?:not|broken|down|stuck|slow|failing|crashing|missing|wrong|late|lost|damaged)\b)(?!.*n['’]t\b)/i;
/** What one has done is told, not asked for, unless it went wrong. */
const PAST_DEED =
  /^\s*(?:i|we) (?:just |already |also )?(?:bought|ate|went|had|saw|made|took|sent|met|got|\w{2,}ed)\b(?!.*\b(?:not|forgot|lost|broken|damaged|wrong|late|charged|twice|missing)\b)(?!.*n['’]t\b)/i;
const THANKS = /thank you|thanks|谢谢|感谢/gi;

/** The unknown verb of a command (`Fax the invoice`): an opening word that an article or pronoun follows and that is no everyday verb. */
export function strangeVerb(message: ReadMessage): Token | undefined {
  let at = 0;
  while (LEAD_INS.has(message.tokens[at]?.lower ?? '')) at++;
  const [verb, object] = message.tokens.slice(at, at + 2);
  if (verb?.kind !== 'word' || object === undefined) return undefined;
  // `Duplicate SKU-10023`: what has a code of its own is acted on too.
  const isObject =
    /^(?:the|a|an|my|our|this|that|these|all|your)$/.test(object.lower) ||
    message.entities.some(
      (entity) => (entity.kind === 'code' || entity.kind === 'email') && entity.start === object.start,
    );
  if (!isObject) return undefined;
  const known =
    isRequestVerb(verb) || isStopWord(verb.lower) || message.concepts.some((hit) => hit.start === verb.start);
  return known ? undefined : verb;
}

/** The action of an English command: the first known verb, behind what only makes it polite (`could you`, `I'd like to`). */
export function openingVerb(message: ReadMessage): Token | undefined {
  const verb = message.tokens.find((token) => !LEAD_INS.has(token.lower) && !WISHES.has(token.lower));
  return verb?.kind === 'word' && (isRequestVerb(verb) || message.actions.some((hit) => hit.start === verb.start))
    ? verb
    : undefined;
}

/** Tells whether a word is there to ask and names nothing that is asked for: an everyday opening verb (`set`, `look`), or what went wrong. */
export function asksForAnything(message: ReadMessage, token: Token): boolean {
  if (TROUBLE.has(token.lower)) return true;
  return (
    token.start === openingVerb(message)?.start &&
    isRequestVerb(token) &&
    !message.actions.some((hit) => hit.start === token.start)
  );
}

/** Tells whether a question asks how the world is or how something is done, which only an article answers: `how do I …`, `what does … mean`. */
export function asksForKnowledge(message: ReadMessage): boolean {
  return ABOUT_THE_WORLD.test(message.text);
}

/** Tells whether a message wants to know something, rather than have it done: `how many …`, not `can you …`. */
export function isQuestion(message: ReadMessage): boolean {
  return QUESTION.test(message.text) && !POLITE.test(message.text);
}

/** Tells whether a message opens with a verb of looking (`show`, `check`, 看看) and names nothing to be done. */
export function asksToSee(message: ReadMessage): boolean {
  const opening = message.tokens[OPENING_TOKENS]?.start ?? message.text.length;
  return (
    message.actions.length === 0 &&
    message.concepts.some((hit) => kindOf(hit.concept) === 'viewing' && hit.start < opening)
  );
}

/** `I worked on it all day, log it`: a clause after the first begins with a verb of a request and its object. */
function asksLater({ tokens, actions }: ReadMessage): boolean {
  return tokens.some((token, i) => {
    const verb = tokens[i + 1];
    const object = tokens[i + 2];
    return (
      /^[,.;!:]$/.test(token.text) &&
      verb !== undefined &&
      (isRequestVerb(verb) || actions.some((hit) => hit.start === verb.start)) &&
      /^(?:it|this|that|these|those|them|me|the|a|an|my|our)$/.test(object?.lower ?? '')
    );
  });
}

/** Tells whether a message only remarks on something: it comments or gives thanks, and neither asks, nor begins with something to do, nor names anything by its identifier. */
export function isStatement(message: ReadMessage): boolean {
  const text = message.text.replace(THANKS, ' ');
  const [first] = message.tokens;
  const opens =
    first !== undefined &&
    (isRequestVerb(first) ||
      message.concepts.some(
        (hit) =>
          hit.start === first.start &&
          isAction(hit.concept) &&
          first.kind === 'cjk' &&
          hit.end === first.end &&
          !COMMENT.test(message.text.slice(hit.end, hit.end + 4)),
      ));
  const named = message.entities.some(
    (entity) => entity.kind === 'code' || entity.kind === 'email' || entity.kind === 'quote',
  );
  return (
    !opens &&
    !named &&
    !asksLater(message) &&
    !QUESTION.test(text) &&
    !POLITE.test(text) &&
    !ASKING.test(text) &&
    (COMMENT.test(message.text) || PAST_DEED.test(message.text) || THIRD_PARTY.test(message.text))
  );
}
