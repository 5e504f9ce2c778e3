import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { prepareTools, type RouterTool, routeMessage } from './module.ts';

// Tools of the corpus, messages of our own.
const tools = prepareTools(
  JSON.parse(readFileSync(new URL('corpus/tools.json', import.meta.url), 'utf8')) as readonly RouterTool[],
);
const decide = (content: string) =>
  routeMessage({
    messages: [{ role: 'user', content }],
    tools,
    now: Temporal.Instant.from('2026-11-18T09:30:00Z'),
    timeZone: 'America/New_York',
  });

test.each([
  ['what has spaces is no identifier', 'Schedule a meeting called "Budget review"', 'create_calendar_event', ['start']],
  [
    'a number behind a preposition is none either',
    'Update the shipping address for my order to 5 Main Street, Boston',
    'update_shipping_address',
    ['order_id'],
  ],
  [
    'every word is the tool’s',
    'I would like to take some days off',
    'request_leave',
    ['leave_type', 'start_date', 'end_date'],
  ],
  ['a request follows what is told', 'My order was charged twice, refund it', 'refund_order', ['order_id']],
  ['the verb is a noun of its own', 'Send an invitation for an admin', 'invite_user', ['email']],
  [
    'what is given has the forms of one tool alone',
    'Send 15 of SKU-90210 to Shanghai from our other warehouse',
    'transfer_stock',
    ['from_warehouse'],
  ],
  ['a file is downloaded as it is exported', 'Download a report for last month', 'export_report', ['report']],
  ['a greeting comes first', 'Hi, how much stock is left in the Shenzhen warehouse?', 'check_inventory', ['sku']],
  ['a courtesy is no value', 'pls get me a shipping quote for 8 kg', 'get_shipping_quote', ['destination']],
  ['urgency is none either', 'Set a reminder for 3pm today as soon as possible', 'create_reminder', ['text']],
  ['a colon announces none', 'Quick question: can you log 4 hours for today?', 'log_hours', ['project']],
  ['a side is named by its preposition', 'Exchange rate against the pound?', 'get_exchange_rate', ['base']],
])('what is missing is asked for where %s: %s', (_why, message, tool, missing) =>
  expect(decide(message)).toMatchObject({ kind: 'ask', tool, missing }),
);

test('a part of a longer name is no value of a list', () => {
  const decision = decide('Publish a job opening for Account Executive');
  expect(decision).toMatchObject({ kind: 'ask', tool: 'create_job_posting' });
  expect(decision).not.toHaveProperty('arguments.department');
});

test('what somebody wants made is not cancelled, and nothing else is downloaded', () => {
  const [cancel] = tools.entries.filter(({ tool }) => tool.name === 'cancel_meeting').map(({ tool }) => tool);
  const only = { tools: [cancel as RouterTool], now: Temporal.Instant.from('2026-11-18T09:30:00Z'), timeZone: 'UTC' };
  const content = 'Schedule meeting 4711';
  expect(routeMessage({ ...only, messages: [{ role: 'user', content }] }).kind).toBe('none');
  expect(routeMessage({ ...only, messages: [{ role: 'user', content: 'Cancel meeting 4711' }] }).kind).toBe('call');
  for (const message of ['Download my photos', 'Download the app']) expect(decide(message).kind).toBe('none');
});
