import type { Role } from './slot-roles.ts';

/**
 * How far the text after a cue reaches: `name` stops at the next preposition or verb, `phrase` at the next clause or cue of
 * another parameter, `rest` runs to the end of the message.
 */
export type Reach = 'name' | 'phrase' | 'rest';

/** Words that lead to a value: English words in lower case or a Chinese string, how sure they are, and how far the value reaches. */
export type Cue = { readonly words: readonly string[]; readonly weight: number; readonly reach: Reach };

const TABLE: { readonly [role in Role]: string } = {
  person: `4 name assign to|assigned to|addressed to|on behalf of|发给|分配给|指派给|派给|交给|转给|寄给|转发给|抄送给|汇给|转账给|付给
    3 name with|invite|notify|email|e-mail|message|text|call|tell|contact|cc|meet|meet with|给|通知|告诉|邀请|联系|抄送|和|跟|与|同|约|找|请
    2 name to|for|ask|remind|向|为|让|由|提醒
    1 name from|by|of|查询|查|查一下|查看`,
  creator: `4 name by|written by|performed by|directed by
    2 name from|of`,
  place: `4 name located in|based in|位于|地点在|地点是|地点为|工作地点|地点|城市是|城市|坐标
    3 name in|at|near|around|在|到|去|飞往|前往|寄到|送到|发到|运到|发往|寄往|运往
    2 name to|for|visit|from
    1 name of|about|on|查询|查|查一下|查看`,
  organization: `4 name works for|working for|works at|working at|employed by|company is|company called|公司是|公司叫|公司为|来自|供职于|就职于|任职于|在职于
    3 name from|at|公司
    1 name of|with|在`,
  address: `5 rest new address is|new address|address is|address to|改成|改为|改到|更改为|换成|更新为|送到|寄到|地址是|地址为|新地址是|新地址
    3 rest to|at|到`,
  origin: `4 name from|leaving|departing|departing from|out of|starting at|从|自|由
    1 name leave|depart`,
  destination: `4 name fly to|ship to|shipping to|send to|寄到|寄往|送到|送往|发到|发往|运到|运往|going to|travel to|trip to|drive to|飞往|前往|开往|去往
    3 name to|into|toward|towards|到|去|至|往|飞
    1 name for|in`,
  title: `5 phrase called|named|titled|entitled|name it|call it|with the title|with title|with the name|with subject|with the subject|叫做|名叫|名为|名称为|名称是|名字叫|名字是|标题为|标题是|标题叫|题为|命名为|主题为|主题是|取名|叫|改名为|重命名为
    3 phrase title|subject|labeled|tagged|标题|主题|名称
    3 phrase about|regarding|concerning|关于|有关
    1 phrase for|on`,
  topic: `4 phrase about|regarding|concerning|related to|mentioning|containing|matching|with subject|with the subject|关于|有关|主题是|主题为|关键词是|关键词为|关键词|关键字
    3 phrase search for|searching for|search|look for|looking for|look up|find|find me|搜索|搜一下|搜|查找|检索|寻找|找一下|找找|找
    2 phrase for|on|query|查一下|查询|查`,
  body: `5 rest tell her|tell him|tell them|let her know|let him know|let them know|telling them|saying|that says|which says|with the message|with message|with the text|with the body|with body|with content|with the content|内容是|内容为|内容写|正文是|正文为|正文写|消息是|告诉他|告诉她|告诉他们|告诉大家|说明是|备注是|备注为|描述是|描述为|问题是|留言说|评论说|回复说
    4 rest 告诉|body|content|message is|note that|know that|them that|him that|her that|comment that|正文|内容|备注|描述|留言|说
    2 rest that|say|says|tell|note|comment|message|description|记录|记下|记一下|写
    1 rest about|on|关于`,
  reason: `4 phrase because of|because|due to|reason is|the reason is|the reason being|reason|citing|on account of|因为|由于|原因是|原因为|理由是|理由为|事由是|事由为|原因|理由|事由
    2 phrase since|as|for|因|为了`,
  task: `5 rest remind me to|reminder to|remember to|remind us to|remind me about|remind me that|reminder about|reminder for|remind me of|提醒我要|提醒我去|提醒我|提醒一下我|记得提醒我|叫我|任务是|任务为|待办是|内容是
    3 rest to|task|todo|记得|提醒|任务|待办
    2 rest about|for|that`,
  language: `3 name into|in|to|译成|译为|成|用`,
  symbol: `2 name of|for|price of|at|ticker|symbol`,
  item: `3 phrase buy|purchase|order|play|of|add|for|need|购买|采购|买|播放|放一首|来一首|听|点一份|点|添加|加|查一下|查询|查
    1 phrase about|on|with|把`,
  other: `2 phrase for|把|将
    1 phrase about|on|of|to|in|with`,
};

const cuesByRole = new Map<string, readonly Cue[]>(Object.entries(TABLE).map(([role, lines]) => [role, parse(lines)]));

/** The cues of a role, longest first, so that `remind me to` is tried before `to`. */
export function cuesOf(role: Role): readonly Cue[] {
  return cuesByRole.get(role) ?? [];
}

/** English words that end a name: prepositions, conjunctions and the verbs that follow a person. */
export const ENGLISH_BREAKS: ReadonlySet<string> = new Set(
  `for at on in from to by with about regarding because saying that please before after until till due as when while where called named titled is are was were be has have had
  via using under over per so but then which who if than and or of into within since during between through not can could will would should do does did asking telling
  thanks thank today tomorrow yesterday tonight now`.split(/\s+/),
);

/** Chinese verbs that end a name or begin a request. */
export const CHINESE_VERBS: ReadonlySet<string> = new Set(
  `发 发送 发出 发一封 发一条 发个 发条 打 打电话 打个 写 写信 写一封 说 说明 转 寄 寄送 安排 预订 预定 订 预约 约 创建 建 新建 添加 加 增加 开 开会 提交 申请 分配 指派 发起 通知 设 设置 设定 做 买 购买 查 查询 查看 分享 转账
  汇款 汇 付 付款 支付 退 退款 退货 改 改为 改成 换 换成 推荐 播放 提醒 参加 讨论 聊 聊聊 见面 见 吃 吃饭 喝 办理 办 处理 翻译 成 译成 换算 兑换 计算 算 搜索 搜 找 查找 列出 显示 获取 取消 删除 删 修改 更新 更改 调整 更换
  关闭 打开 启动 停止 重启 部署 导出 导入 下载 上传 记录 登记 报销 请假 请 休 报名 评论 回复 转发 抄送 邀请 叫 让 帮 告诉 回 送 需要 有 是 在 从 到 去 来 飞 飞往 出发 到达 入住 退房 寄到 送到 发到 加到 放到 移到 添加到 做个 做一 开个 订个 订一`.split(
    /\s+/,
  ),
);

function parse(lines: string): Cue[] {
  const cues: Cue[] = [];
  for (const line of lines.split('\n')) {
    const [, weight = '0', reach = 'name', words = ''] = /^\s*(\d) (\w+) (.*)$/.exec(line) ?? [];
    for (const phrase of words.split('|'))
      cues.push({
        words: /\p{Script=Han}/u.test(phrase) ? [phrase] : phrase.split(' '),
        weight: Number(weight),
        reach: reach as Reach,
      });
  }
  return cues.sort((a, b) => b.words.join(' ').length - a.words.join(' ').length);
}
