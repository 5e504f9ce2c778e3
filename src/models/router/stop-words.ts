const ENGLISH = `a an the this that these those my your our his her its their me you i we us he she it they them him is are was were be been am do does did
has have had can could will would shall should may might must to of in on at by for with from into onto about as and or but so if then than there here what which who
whom whose when where why how please pls plz asap possible kindly just also too some any no wants wanted needs needed asks asked asking know knows knowing wondering wonder not don't doesn't isn't let let's i'd i'm i'll i've we'd we'll want need like help thanks thank hey
hi hello ok okay now up out off over under per via tell give got going go really very much many more most all each every both either one ones something anything everything
someone anyone what's where's who's how's when's there's that's it's quick quickly able ahead right well actually maybe still yet already again soon later just ago back away left remaining available currently anymore once today's another other others new latest last next`;
const CHINESE = `篇 段 首 款 批 片 颗 根 辆 幅 项 我把 把我 帮我把 一段 一段话 这段话 这段 那段 段话 段 一些 几个 些 东西 事情 要不要 不要 不用 会不会 不会 有没有 新 最新 目前 当前 今天 我想 我要 我需要 想找 请问 麻烦你 给我 我的 能帮 的 样 了 吗 呢 吧 啊 呀 嘛 把 被 将 给 请 帮 帮我 帮忙 麻烦 一下 下 我 你 您 他 她 它 我们 你们 他们 咱们 咱 这 那 这个 那个 这些 那些 一个 个 想 想要 要 需要 希望 能 能不能 能否 可以 可否 可
不可以 会 和 与 跟 及 以及 或 或者 还是 在 是 有 有没有 没 没有 就 都 也 还 再 又 很 太 从 到 去 来 对 为 为了 用 以 于 由 向 往 让 叫 使 什么 怎么 怎么样 怎样 如何 多少 几 哪 哪里 哪儿 哪些 哪个 谁 何时 为什么 吗 那么 现在
谢谢 好 好的 嗨 你好 您好 一 份 张 条 件 位 封 本 场 次 只 台 间 名 款 家 所 等 里 上 中 内 外 之 其 并 且 然后 顺便 尽快 马上 立即 立刻 某 啦 哦 喂 是不是 是否 请问 想知道 知道 告诉 告诉我 看 看看 看一下`;
const words = new Set(`${ENGLISH} ${CHINESE}`.split(/\s+/));

/** Tells whether a lower-case word carries no topic of its own in English or Chinese. */
export function isStopWord(word: string): boolean {
  return words.has(word) || /n['’]t$/.test(word);
}
