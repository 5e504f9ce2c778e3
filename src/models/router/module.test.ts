import { describe, expect, it } from 'vitest';
import { prepareTools, type RouterDecision, type RouterMessage, type RouterTool, routeMessage } from './module.ts';

const text = (description: string, extra: object = {}) => ({ type: 'string', description, ...extra });
const tool = (name: string, description: string, properties: object, required: string[] = []): RouterTool => ({
  name,
  description,
  inputSchema: { type: 'object', properties, required },
});

const tools: RouterTool[] = [
  tool(
    'get_weather',
    'Get the weather forecast for a city. 查询城市天气预报',
    { city: text('City 城市'), date: text('Day 日期', { format: 'date' }) },
    ['city'],
  ),
  tool(
    'create_event',
    'Create a calendar event or meeting. 创建日历事件或会议',
    {
      title: text('Event title 标题'),
      start: text('Start time 开始时间', { format: 'date-time' }),
      durationMinutes: { type: 'integer', description: 'Length in minutes 时长（分钟）' },
      attendees: { type: 'array', items: { type: 'string' }, description: 'People to invite 参会人' },
      location: text('Where 地点'),
    },
    ['title', 'start'],
  ),
  tool(
    'send_email',
    'Send an email. 发送电子邮件',
    { to: text('Recipient 收件人', { format: 'email' }), subject: text('Subject 主题'), body: text('Message 正文') },
    ['to', 'subject', 'body'],
  ),
  tool(
    'set_reminder',
    'Set a reminder. 设置提醒',
    { text: text('What to be reminded of 提醒内容'), time: text('When 提醒时间', { format: 'date-time' }) },
    ['text', 'time'],
  ),
  tool(
    'convert_currency',
    'Convert an amount between currencies. 货币换算',
    {
      amount: { type: 'number', description: '金额' },
      from: text('Source currency code ISO 4217 源货币'),
      to: text('Target currency code ISO 4217 目标货币'),
    },
    ['amount', 'from', 'to'],
  ),
  tool(
    'translate_text',
    'Translate text to another language. 翻译文本',
    {
      text: text('Text to translate 要翻译的文本'),
      target: {
        type: 'string',
        enum: ['en', 'zh', 'fr', 'de', 'ja'],
        description: 'Target language: en 英语, zh 中文, fr 法语, de 德语, ja 日语',
      },
    },
    ['text', 'target'],
  ),
  tool(
    'get_order_status',
    'Check the status of an order. 查询订单状态',
    { orderId: text('Order number 订单号', { pattern: '^ORD-\\d{5}$' }) },
    ['orderId'],
  ),
  tool(
    'create_ticket',
    'Open a support ticket. 创建工单',
    {
      title: text('Short summary 标题'),
      priority: {
        type: 'string',
        enum: ['low', 'medium', 'high', 'urgent'],
        description: 'Priority 优先级: low 低, medium 中, high 高, urgent 紧急',
      },
    },
    ['title', 'priority'],
  ),
  tool(
    'search_products',
    'Search the product catalogue. 搜索商品',
    {
      query: text('Search keywords 关键词'),
      maxPrice: { type: 'number', description: 'Maximum price 最高价格' },
      minPrice: { type: 'number', description: 'Minimum price 最低价格' },
    },
    ['query'],
  ),
  tool(
    'request_leave',
    'Request leave / time off. 申请请假',
    {
      type: {
        type: 'string',
        enum: ['annual', 'sick', 'personal'],
        description: 'annual 年假, sick 病假, personal 事假',
      },
      startDate: text('First day 开始日期', { format: 'date' }),
      endDate: text('Last day 结束日期', { format: 'date' }),
      reason: text('Reason 原因'),
    },
    ['type', 'startDate', 'endDate'],
  ),
  tool(
    'control_light',
    'Turn a light on or off. 控制灯的开关',
    { room: text('Room 房间'), on: { type: 'boolean', description: '是否打开' } },
    ['room', 'on'],
  ),
  tool('calculate', 'Evaluate an arithmetic expression. 计算器', { expression: text('Expression 算式') }, [
    'expression',
  ]),
  tool(
    'ship_parcel',
    'Ship a parcel. 寄送包裹',
    {
      address: {
        type: 'object',
        description: 'Where to',
        properties: { city: text('City 城市'), postcode: text('Postal code', { pattern: '^\\d{5}$' }) },
        required: ['city'],
      },
      weightKg: { type: 'number', description: 'Weight in kg 重量', maximum: 30 },
      insured: { type: 'boolean', description: '是否保价' },
      channel: { type: 'string', enum: ['air'], description: 'The only channel' },
    },
    ['address', 'weightKg', 'channel'],
  ),
];
const index = prepareTools(tools);
const now = Temporal.Instant.from('2026-03-04T09:20:00Z');

function route(...turns: (string | RouterMessage)[]): RouterDecision {
  const messages = turns.map(
    (turn): RouterMessage => (typeof turn === 'string' ? { role: 'user', content: turn } : turn),
  );
  return routeMessage({ messages, tools: index, now, timeZone: 'Asia/Shanghai' });
}

function call(message: string): unknown {
  const decision = route(message);
  return decision.kind === 'call' ? [decision.tool, decision.arguments] : decision;
}

const assistant = (content: string): RouterMessage => ({ role: 'assistant', content });

describe('calls', () => {
  it.each([
    ['What is the weather in Paris tomorrow?', 'get_weather', { city: 'Paris', date: '2026-03-05' }],
    ['北京明天天气怎么样', 'get_weather', { city: '北京', date: '2026-03-05' }],
    [
      'Schedule a meeting called Budget Review tomorrow at 3pm for 45 minutes with Alice and Bob',
      'create_event',
      { title: 'Budget Review', start: '2026-03-05T15:00:00+08:00', durationMinutes: 45, attendees: ['Alice', 'Bob'] },
    ],
    [
      '明天下午三点创建一个叫预算评审的会议，时长45分钟，邀请张三和李四',
      'create_event',
      { title: '预算评审', start: '2026-03-05T15:00:00+08:00', durationMinutes: 45, attendees: ['张三', '李四'] },
    ],
    [
      'Send an email to bob@acme.com with subject "Invoice" saying the invoice is attached',
      'send_email',
      { to: 'bob@acme.com', subject: 'Invoice', body: 'the invoice is attached' },
    ],
    [
      '给bob@acme.com发邮件，主题是“发票”，内容是发票已附上',
      'send_email',
      { to: 'bob@acme.com', subject: '发票', body: '发票已附上' },
    ],
    ['Remind me to call mom tomorrow at 6pm', 'set_reminder', { text: 'call mom', time: '2026-03-05T18:00:00+08:00' }],
    ['提醒我明天下午6点给妈妈打电话', 'set_reminder', { text: '给妈妈打电话', time: '2026-03-05T18:00:00+08:00' }],
    ['Convert 100 USD to EUR', 'convert_currency', { amount: 100, from: 'USD', to: 'EUR' }],
    ['把三百五十美元换成欧元', 'convert_currency', { amount: 350, from: 'USD', to: 'EUR' }],
    ['Translate good morning into Japanese', 'translate_text', { text: 'good morning', target: 'ja' }],
    ['把“早上好”翻译成法语', 'translate_text', { text: '早上好', target: 'fr' }],
    ['Where is my order ord-12345?', 'get_order_status', { orderId: 'ORD-12345' }],
    ['创建工单：打印机坏了，优先级高', 'create_ticket', { title: '打印机坏了', priority: 'high' }],
    ['Search for wireless headphones under $100', 'search_products', { query: 'wireless headphones', maxPrice: 100 }],
    ['搜索100元以下的无线耳机', 'search_products', { query: '无线耳机', maxPrice: 100 }],
    [
      '我想请病假，从周一到周三，因为感冒',
      'request_leave',
      { type: 'sick', startDate: '2026-03-09', endDate: '2026-03-11', reason: '感冒' },
    ],
    ['Turn off the light in the kitchen', 'control_light', { room: 'kitchen', on: false }],
    ['打开客厅的灯', 'control_light', { room: '客厅', on: true }],
    ['What is 12 * 8 + 5?', 'calculate', { expression: '12 * 8 + 5' }],
    [
      'Ship a parcel of 2.5 kg to Berlin, 10115',
      'ship_parcel',
      { address: { city: 'Berlin', postcode: '10115' }, weightKg: 2.5, channel: 'air' },
    ],
  ])('%s', (message, name, args) => expect(call(message)).toEqual([name, args]));

  it('gives dates in the zone of the tenant', () => {
    const decision = routeMessage({
      messages: [{ role: 'user', content: 'remind me at 9am to stretch' }],
      tools,
      now,
      timeZone: 'America/New_York',
    });
    expect(decision).toMatchObject({ kind: 'call', arguments: { time: '2026-03-04T09:00:00-05:00' } });
  });

  it('throws on an unknown time zone', () =>
    expect(() =>
      routeMessage({ messages: [{ role: 'user', content: 'hi' }], tools, now, timeZone: 'Mars/Base' }),
    ).toThrow(RangeError));

  it('keeps a long body whole', () => {
    const body = `dear all, ${'this goes on. '.repeat(500)}bye`;
    expect(call(`Send an email to a@b.co with subject "x" saying ${body}`)).toEqual([
      'send_email',
      { to: 'a@b.co', subject: 'x', body },
    ]);
    expect(call(`Send an email to a@b.co with subject "x" saying “${body}”`)).toEqual([
      'send_email',
      { to: 'a@b.co', subject: 'x', body },
    ]);
  });
});

describe('questions', () => {
  it('asks for what is missing, in the language of the message', () => {
    const english = route('Book a meeting called Sync tomorrow');
    expect(english).toMatchObject({
      kind: 'ask',
      tool: 'create_event',
      missing: ['start'],
      arguments: { title: 'Sync' },
    });
    expect(english).toMatchObject({ text: 'To use create_event I still need:\n- start (Start time 开始时间)' });
    const chinese = route('创建一个紧急工单');
    expect(chinese).toMatchObject({
      kind: 'ask',
      tool: 'create_ticket',
      missing: ['title'],
      arguments: { priority: 'urgent' },
    });
    expect(chinese).toMatchObject({ text: '调用 create_ticket 还需要：\n- title (Short summary 标题)' });
  });

  it('does not take an identifier that breaks its pattern, or a number out of range', () => {
    expect(route('status of order ORD-12')).toMatchObject({ kind: 'ask', missing: ['orderId'] });
    expect(route('ship a parcel of 45 kg to Rome')).toMatchObject({
      kind: 'ask',
      missing: ['weightKg'],
      arguments: { address: { city: 'Rome' } },
    });
  });

  it('takes the reply in context, together with the day given before', () => {
    const ask = route('Book a meeting called Sync tomorrow');
    const question = ask.kind === 'ask' ? ask.text : '';
    expect(route('Book a meeting called Sync tomorrow', assistant(question), '3pm')).toMatchObject({
      kind: 'call',
      tool: 'create_event',
      arguments: { title: 'Sync', start: '2026-03-05T15:00:00+08:00' },
    });
  });

  it('takes a bare reply as the text asked for, and asks on while something is missing', () => {
    const first = route('给bob@acme.com发邮件');
    expect(first).toMatchObject({ kind: 'ask', missing: ['subject', 'body'] });
    const turns = ['给bob@acme.com发邮件', assistant(first.kind === 'ask' ? first.text : ''), '季度总结'];
    const second = route(...turns);
    expect(second).toMatchObject({
      kind: 'ask',
      missing: ['body'],
      arguments: { to: 'bob@acme.com', subject: '季度总结' },
    });
    expect(route(...turns, assistant(second.kind === 'ask' ? second.text : ''), '大家辛苦了')).toMatchObject({
      kind: 'call',
      arguments: { to: 'bob@acme.com', subject: '季度总结', body: '大家辛苦了' },
    });
  });

  it('lets go of the question on a new request, a cancellation, or another assistant text', () => {
    const ask = route('send an email');
    const question = assistant(ask.kind === 'ask' ? ask.text : '');
    expect(route('send an email', question, 'what is the weather in Rome?')).toMatchObject({
      kind: 'call',
      tool: 'get_weather',
    });
    expect(route('send an email', question, 'never mind')).toEqual({ kind: 'none', text: 'Cancelled.' });
    expect(route('send an email', assistant('Something else entirely.'), 'bob@acme.com').kind).toBe('none');
  });
});

describe('tool lists', () => {
  it('reads a list as it is now, not as it was in an earlier call', () => {
    const list = [...tools];
    const ask = () =>
      routeMessage({ messages: [{ role: 'user', content: 'weather in Paris' }], tools: list, now, timeZone: 'UTC' });
    expect(ask()).toMatchObject({ kind: 'call', tool: 'get_weather' });
    expect(ask()).toEqual(ask());
    list.splice(0, 1);
    expect(ask().kind).toBe('none');
  });
});

describe('refusals and answers', () => {
  it.each([
    'Tell me a joke',
    'Who won the world cup in 2018?',
    'write me a poem about the sea',
    '讲个笑话',
    '人生的意义是什么',
    '',
    '???',
    '42',
  ])('no tool fits %j', (message) => expect(route(message).kind).toBe('none'));

  it('says so in the language of the message, with the tools there are', () => {
    expect(
      routeMessage({ messages: [{ role: 'user', content: '讲个笑话' }], tools: [], now, timeZone: 'UTC' }),
    ).toEqual({ kind: 'none', text: '没有适合这个请求的工具。' });
    const decision = routeMessage({
      messages: [{ role: 'user', content: 'tell me a joke' }],
      tools: tools.slice(0, 2),
      now,
      timeZone: 'UTC',
    });
    expect(decision).toEqual({
      kind: 'none',
      text: 'No tool fits this request. Available tools: get_weather, create_event.',
    });
  });

  it('takes the language of the instructions where the conversation has none', () =>
    expect(
      routeMessage({
        messages: [{ role: 'user', content: '42' }],
        tools: [],
        now,
        timeZone: 'UTC',
        instructions: '你是客服助手',
      }),
    ).toEqual({ kind: 'none', text: '没有适合这个请求的工具。' }));

  it('shows the results that end the conversation', () => {
    const turns: RouterMessage[] = [
      { role: 'user', content: '北京天气' },
      { role: 'assistant', content: '', toolCalls: [{ id: '1', name: 'get_weather', arguments: { city: '北京' } }] },
      { role: 'tool', content: '{"high":20,"rain":false}', toolCallId: '1' },
      { role: 'tool', content: '', toolCallId: '2' },
    ];
    expect(route(...turns)).toEqual({ kind: 'answer', text: 'high: 20\nrain: 否\n\n工具没有返回内容。' });
  });
});

describe('hostile input', () => {
  it('gives the same decision for the same input', () => {
    for (const message of ['Convert 100 USD to EUR', '明天下午三点创建一个叫预算评审的会议', 'send an email'])
      expect(route(message)).toEqual(route(message));
  });

  // A quadratic or worse reader would run far past the test's time limit on these.
  it.each([
    'a',
    ' ',
    'to ',
    '给',
    '1',
    '一',
    '一个半小时后',
    '1 ',
    '明 ',
    ',',
    'monday ',
    'in 1 day ',
    '"',
    '“',
    "'a ",
    'a@',
    'a.a@a ',
    'http://',
    'a-1-',
    '12 ',
    'calculate 1+',
    '(',
    '百分之',
    '提醒我明天下午三点给张三发邮件，标题是',
  ])('ends on 100 KB of %j', (unit) => {
    const message = `remind me ${unit.repeat(Math.ceil(100_000 / unit.length))}明天`;
    expect(['call', 'ask', 'none']).toContain(route(message).kind);
  });

  it('ends on hostile schemas and treats their names as data', () => {
    const deep = { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] };
    const odd: RouterTool[] = [
      { name: 'deep_weather', description: 'weather', inputSchema: deep },
      {
        name: 'loop_weather',
        description: 'weather',
        inputSchema: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { $ref: '#/$defs/a' } } },
      },
      {
        name: 'odd_weather',
        description: 'weather',
        inputSchema: { properties: { x: null, y: 7, z: { enum: [] } }, required: 'x' },
      },
      tool(
        'proto_weather',
        'weather '.repeat(20_000),
        JSON.parse('{"__proto__":{"type":"object","properties":{"polluted":{"type":"integer"}}}}'),
        [],
      ),
      tool('slow_weather', 'weather', { code: text('code', { pattern: '^(a+)+$' }) }, ['code']),
    ];
    for (const one of odd)
      routeMessage({
        messages: [{ role: 'user', content: 'weather 5 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1' }],
        tools: [one],
        now,
        timeZone: 'UTC',
      });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

it('takes whatever a tool’s schema allows: a value that has no text is never named', () => {
  const hostile = { toString: 1 };
  const mode = { enum: [hostile, 'fast', null], description: 'fast or slow' };
  const kind = { oneOf: [{ const: hostile, title: 'fast' }, { const: 'slow' }] };
  const odd = tool('start_engine', 'Start the engine.', { mode, kind }, ['mode']);
  const messages: RouterMessage[] = [{ role: 'user', content: 'start the engine fast' }];
  const input = { messages, tools: [odd], now: Temporal.Instant.from('2026-11-22T12:00:00Z'), timeZone: 'UTC' };
  expect(routeMessage(input)).toMatchObject({ kind: 'call', arguments: { mode: 'fast' } });
});
