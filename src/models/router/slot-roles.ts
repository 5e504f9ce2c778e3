/** What a text parameter is about, which decides the words that lead to it in a message. */
export type Role =
  | 'person'
  | 'creator'
  | 'place'
  | 'address'
  | 'organization'
  | 'origin'
  | 'destination'
  | 'title'
  | 'topic'
  | 'body'
  | 'reason'
  | 'task'
  | 'language'
  | 'symbol'
  | 'item'
  | 'other';

/** Which end of a pair a parameter is. */
export type Side = 'from' | 'to' | 'due';

const NAMES: readonly (readonly [Role, RegExp])[] = [
  ['origin', /^(?:origin|from|source|departure|depart|pickup)$/],
  ['destination', /^(?:destination|arrival|dropoff|dest)$/],
  ['creator', /^(?:artist|author|singer|band|director|composer|writer)$/],
  [
    'person',
    /^(?:recipients?|assignees?|owner|attendees?|participants?|contacts?|person|people|user|users|username|employees?|customers?|client|manager|candidate|members?|host|friend|patient|passengers?|guest|visitor|approver|invitees?|colleague|staff|doctor|interviewers?|driver|sender|reviewers?|cc|payee|who|lead|agent|teacher|student)$/,
  ],
  [
    'place',
    /^(?:city|location|place|venue|country|region|area|site|office|store|warehouse|building|town|hotel|restaurant|room|station|where|neighborhood|district)$/,
  ],
  ['organization', /^(?:company|organi[sz]ation|employer|firm)$/],
  ['address', /^(?:address|street)$/],
  ['reason', /^(?:reason|cause|justification|purpose|why)$/],
  [
    'body',
    /^(?:body|message|content|contents|text|notes?|description|comments?|details|detail|reply|memo|remarks?|feedback|instructions|problem)$/,
  ],
  ['task', /^(?:task|todo|reminder|action|what)$/],
  ['topic', /^(?:query|q|keywords?|search|term|terms|topic|question|about|theme|phrase)$/],
  ['language', /^(?:language|lang|locale)$/],
  ['symbol', /^(?:symbol|ticker)$/],
  ['item', /^(?:item|items|product|products|ingredients?|dish|food|song|track|movie|book|device|asset|sku|goods)$/],
  [
    'title',
    /^(?:title|subject|name|label|heading|headline|summary|tags?|category|project|department|team|vendor|supplier|channel|folder|group|campaign|plan|service|course|playlist|list)$/,
  ],
];
const HINTS: readonly (readonly [Role, RegExp])[] = [
  ['origin', /出发地|始发|departure (?:city|airport)|起点/],
  ['destination', /目的地|到达地|终点|destination/i],
  [
    'person',
    /收件人|联系人|负责人|姓名|参会人|与会者|员工|客户名|受邀|接收人|指派|recipient|assignee|person's name|who /i,
  ],
  ['place', /城市|地点|地址|位置|国家|地区|city|location/i],
  ['reason', /原因|理由|事由|reason/i],
  ['task', /提醒内容|提醒事项|待办/],
  ['body', /正文|内容|备注|描述|说明|消息|文本|message|body/i],
  ['topic', /关键词|关键字|查询|搜索|主题|topic|keyword|search/i],
  ['title', /标题|名称|title|name/i],
];
const FROM =
  /^(?:from|start|starts|begin|since|source|origin|checkin|in|min|minimum|lower|base|depart|departure|after|earliest|outbound)$/;
const TO =
  /^(?:to|end|ends|until|till|target|destination|checkout|out|max|maximum|upper|return|returning|before|latest|finish|arrival|inbound)$/;

/** The role of a parameter, from the words of its name and then from its description; `to` is a person unless the description names a place. */
export function roleOf(words: readonly string[], description: string): Role {
  if (words.includes('to') && words.length <= 2)
    return /city|airport|location|destination|station|place|城市|机场|目的|车站|地/i.test(description)
      ? 'destination'
      : 'person';
  if (words.includes('from') && words.length <= 2) return 'origin';
  if (
    /remind|提醒|待办|to-?do/i.test(description) &&
    words.some((word) => /^(?:text|content|message|title|note|what|body|task|subject|reminder|name)$/.test(word))
  )
    return 'task';
  const last = words.at(-1) ?? '';
  if (
    /^(?:name|fullname|full)$/.test(last) &&
    /person|contact|employee|customer|full name|patient|guest|姓名|人名/i.test(description)
  )
    return 'person';
  const isName = last === 'name' && words.length > 1;
  for (const word of isName ? [words.at(-2) ?? '', last] : [last, ...words.slice(0, -1).reverse()]) {
    for (const [role, pattern] of NAMES) if (pattern.test(word)) return endOf(role, words, description);
  }
  for (const [role, pattern] of HINTS) if (pattern.test(description)) return role;
  return 'other';
}

/** Which end of a pair a parameter is, by its name or the Chinese of its description; `undefined` when it stands alone. */
export function sideOf(words: readonly string[], description: string): Side | undefined {
  if (words.some((word) => /^(?:due|deadline|expires?|expiry)$/.test(word)) || /截止|到期|期限/.test(description))
    return 'due';
  if (words.some((word) => TO.test(word))) return 'to';
  if (words.some((word) => FROM.test(word))) return 'from';
  if (/结束|终止|退房|离店|返程|最高|最大|上限/.test(description)) return 'to';
  return /开始|起始|入住|出发|最低|最小|下限/.test(description) ? 'from' : undefined;
}

function endOf(role: Role, words: readonly string[], description: string): Role {
  if (role !== 'place') return role;
  if (words.some((word) => FROM.test(word)) || /出发|始发|起点/.test(description)) return 'origin';
  return words.some((word) => TO.test(word)) || /目的|到达|终点/.test(description) ? 'destination' : role;
}
