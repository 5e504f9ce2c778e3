import { describe, expect, it } from 'vitest';
import { readEnumOptions } from './describe-enums.ts';
import { describeSlots } from './describe-slots.ts';
import { type RouterTool, routeMessage } from './module.ts';

const text = (description: string, extra: object = {}) => ({ type: 'string', description, ...extra });
const tool = (name: string, description: string, properties: object, required: string[] = []): RouterTool => ({
  name,
  description,
  inputSchema: { type: 'object', properties, required },
});
const CITIES = ['paris', 'rome', 'oslo'];
const CURRENCIES = ['USD', 'CAD', 'EUR', 'CNY'];

const tools: RouterTool[] = [
  tool(
    'transfer_goods',
    'Transfer goods between depots. 在仓库间调拨货物。',
    {
      sku: text('Article number, e.g. SKU-10001. 货号，如 SKU-10001。'),
      quantity: { type: 'integer', minimum: 1, description: 'Number of units. 数量。' },
      from_depot: {
        type: 'string',
        enum: CITIES,
        description: 'Depot it leaves: paris 巴黎, rome 罗马, oslo 奥斯陆. 调出。',
      },
      to_depot: {
        type: 'string',
        enum: CITIES,
        description: 'Depot it goes to: paris 巴黎, rome 罗马, oslo 奥斯陆. 调入。',
      },
    },
    ['sku', 'quantity', 'from_depot', 'to_depot'],
  ),
  tool(
    'convert_money',
    'Convert an amount of money. 货币换算。',
    {
      amount: { type: 'number', description: 'Amount 金额' },
      source: { type: 'string', enum: CURRENCIES, description: 'From which currency 原货币' },
      target: { type: 'string', enum: CURRENCIES, description: 'To which currency 目标货币' },
    },
    ['amount', 'source', 'target'],
  ),
  tool(
    'quote_shipping',
    'Quote the price of shipping a parcel. 查询包裹运费。',
    {
      destination: text('City 目的地城市'),
      weight_kg: { type: 'number', description: 'Weight in kilograms 重量（公斤）' },
    },
    ['destination', 'weight_kg'],
  ),
  tool(
    'reserve_hall',
    'Reserve a hall. 预订大厅。',
    {
      start: text('When it starts 开始时间', { format: 'date-time' }),
      minutes: { type: 'integer', description: 'Length in minutes 时长（分钟）' },
      people: { type: 'integer', description: 'How many people 人数' },
      catering: { type: 'boolean', description: 'Whether to order catering 是否需要餐饮' },
    },
    ['start'],
  ),
  tool(
    'create_voucher',
    'Create a discount voucher. 创建优惠券。',
    {
      code: text('Code, e.g. SAVE5. 优惠码。'),
      percent_off: { type: 'integer', minimum: 1, maximum: 100, description: 'Percent off 折扣百分比' },
    },
    ['code', 'percent_off'],
  ),
  tool(
    'file_complaint',
    'File a complaint about a delivery. 对配送提交投诉。',
    {
      cause: {
        type: 'string',
        enum: ['broken_goods', 'too_late'],
        description: 'broken_goods = arrived broken or damaged 破损、坏了; too_late = came too late 太晚.',
      },
    },
    ['cause'],
  ),
  tool(
    'stay_quote',
    'Quote a hotel stay. 酒店住宿报价。',
    {
      city: text('City 城市'),
      check_in: text('Check-in date 入住日期', { format: 'date' }),
      check_out: text('Check-out date 退房日期', { format: 'date' }),
    },
    ['city', 'check_in', 'check_out'],
  ),
  tool(
    'log_visit',
    'Log a visit to a customer. 登记客户拜访。',
    {
      customer: text('Name of the customer 客户姓名'),
      day: text('Day of the visit, the latest when left out 拜访日期，不填为最新', { format: 'date' }),
      tags: {
        type: 'array',
        items: { type: 'string', enum: ['new', 'vip'] },
        description: 'Labels: new 新客, vip 贵宾',
      },
    },
    ['customer'],
  ),
  tool(
    'import_rows',
    'Import rows into a table. 导入数据行。',
    { rows: { type: 'array', items: { type: 'object' } }, mode: { type: 'string', default: 'append' } },
    ['rows', 'mode'],
  ),
  tool(
    'set_switch',
    'Turn a switch on or off. 打开或关闭开关。',
    {
      key: text('Name of the switch, e.g. my_switch. 开关名称。'),
      enabled: { type: 'boolean', description: 'true = on 打开, false = off 关闭' },
    },
    ['key', 'enabled'],
  ),
];
// A Wednesday.
const now = Temporal.Instant.from('2026-03-04T09:20:00Z');

function route(message: string): unknown {
  const decision = routeMessage({
    messages: [{ role: 'user', content: message }],
    tools,
    now,
    timeZone: 'Asia/Shanghai',
  });
  return decision.kind === 'call' ? decision.arguments : decision;
}

describe('fillArguments', () => {
  it.each([
    [
      'Transfer 60 units of SKU-71822 from Rome to Oslo',
      { sku: 'SKU-71822', quantity: 60, from_depot: 'rome', to_depot: 'oslo' },
    ],
    [
      'Transfer 60 units of SKU-71822 to Oslo from Rome',
      { sku: 'SKU-71822', quantity: 60, from_depot: 'rome', to_depot: 'oslo' },
    ],
    ['从罗马调拨六十件SKU-71822到奥斯陆', { sku: 'SKU-71822', quantity: 60, from_depot: 'rome', to_depot: 'oslo' }],
    ['convert 2000 yuan to Canadian dollars', { amount: 2000, source: 'CNY', target: 'CAD' }],
    ['How many euros is 1,500.50 US dollars?', { amount: 1500.5, source: 'USD', target: 'EUR' }],
    ['两千人民币兑加元是多少', { amount: 2000, source: 'CNY', target: 'CAD' }],
    ['quote the shipping of a 700 g parcel to Boston', { destination: 'Boston', weight_kg: 0.7 }],
    ['寄到南京的包裹，700克，运费多少', { destination: '南京', weight_kg: 0.7 }],
    [
      'reserve the hall tomorrow from 2pm to 3:30pm for 8 people without catering',
      { start: '2026-03-05T14:00:00+08:00', minutes: 90, people: 8, catering: false },
    ],
    [
      '明天下午2点到3点半预订大厅，8个人，需要餐饮',
      { start: '2026-03-05T14:00:00+08:00', minutes: 90, people: 8, catering: true },
    ],
    ['new voucher HELLO5 with 5 percent off', { code: 'HELLO5', percent_off: 5 }],
    ['创建优惠券HELLO5，打九五折', { code: 'HELLO5', percent_off: 5 }],
    ['file a complaint, the delivery was damaged', { cause: 'broken_goods' }],
    ['投诉配送，东西坏了', { cause: 'broken_goods' }],
    [
      'quote a hotel stay in Rome from March 10 for 3 nights',
      { city: 'Rome', check_in: '2026-03-10', check_out: '2026-03-13' },
    ],
    ['Log a visit to the customer Ada Byron on Monday', { customer: 'Ada Byron', day: '2026-03-02' }],
    ['登记一下客户王小明的拜访，是贵宾', { customer: '王小明', tags: ['vip'] }],
    ['import rows [{"a":1},{"a":2}]', { rows: [{ a: 1 }, { a: 2 }], mode: 'append' }],
    ['switch the dark_mode switch off', { key: 'dark_mode', enabled: false }],
    ['打开new_checkout开关', { key: 'new_checkout', enabled: true }],
  ])('%s', (message, expected) => expect(route(message)).toEqual(expected));

  it('takes no identifier with another prefix than the example has', () =>
    expect(route('Transfer 5 units of ORD-1001 from Rome to Oslo')).toMatchObject({ kind: 'ask', missing: ['sku'] }));

  it.each([
    'I got the shipping quote yesterday, thanks',
    'Delete the voucher HELLO5',
    'Fax the shipping quote',
    'What does SKU stand for?',
    '大厅太冷了',
    '把优惠券HELLO5删掉',
  ])('refuses %s', (message) => expect(route(message)).toMatchObject({ kind: 'none' }));
});

describe('readEnumOptions', () => {
  it('reads glosses up to the next value, in both languages, and leaves out what two values share', () => {
    const [sick, paid] = readEnumOptions(
      { enum: ['sick', 'paid_leave'] },
      'sick = sick leave 病假; paid_leave = paid leave, holiday 年假、带薪假. 假期类型。',
    );
    expect(sick?.phrases).toContainEqual(['病假']);
    expect(paid?.phrases).toContainEqual(['holiday']);
    expect(sick?.hints.has('leav')).toBe(false);
    expect(paid?.phrases.flat()).not.toContain('类型');
  });

  it('reads a gloss before parentheses, titles of constants, and survives odd values', () => {
    expect(readEnumOptions({ enum: ['sick'] }, '病假(sick)')[0]?.phrases).toContainEqual(['病假']);
    expect(readEnumOptions({ oneOf: [{ const: 1, title: 'Express' }, { const: 2 }] }, '')[0]).toMatchObject({
      value: 1,
      phrases: expect.arrayContaining([['express']]),
    });
    expect(readEnumOptions({ enum: ['', 'a_b', 'x(*', null] }, 'a_b one, x(* two')).toHaveLength(3);
  });
});

describe('describeSlots', () => {
  it('ends on a schema that refers to itself in many places', () => {
    const properties = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`p${i}`, { $ref: '#' }]));
    expect(describeSlots({ type: 'object', properties }, new Set())).toEqual([]);
  });

  it('tells the forms of values by type, format, name and description', () => {
    const form = (name: string, schema: object) =>
      describeSlots({ properties: { [name]: schema } }, new Set())[0]?.form;
    expect(form('due', text('YYYY-MM-DD'))).toBe('date');
    expect(form('order_id', text('Order'))).toBe('code');
    expect(form('flag', text('e.g. my_flag'))).toBe('code');
    expect(form('x', { type: ['string', 'null'], format: 'email' })).toBe('email');
    expect(form('x', { anyOf: [{ type: 'integer' }, { type: 'null' }] })).toBe('integer');
    expect(form('timezone', text('IANA'))).toBe('timezone');
    expect(form('note', text('A note'))).toBe('text');
    expect(form('rows', { type: 'array', items: { type: 'object' } })).toBe('opaque');
  });
});
