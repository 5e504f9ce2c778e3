import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { type RouterTool, routeMessage } from './module.ts';

// Tools of the corpus, messages of our own: near what a tool does, yet nothing that it does.
const tools = (
  JSON.parse(readFileSync(new URL('corpus/tools.json', import.meta.url), 'utf8')) as readonly RouterTool[]
).filter(({ name }) =>
  /^(search_flights|set_feature_flag|get_weather|check_inventory|request_leave|book_room|create_coupon|refund_order)$/.test(
    name,
  ),
);
const decide = (content: string) =>
  routeMessage({
    messages: [{ role: 'user', content }],
    tools,
    now: Temporal.Instant.from('2026-11-09T02:00:00Z'),
    timeZone: 'UTC',
  });

test.each([
  ['another thing is to be done with it', 'Book a flight to Paris on the third'],
  ['another thing is to be done with it', 'Reorder SKU-55102 from the supplier'],
  ['the opposite is to be done', 'Disable the coupon code WELCOME10'],
  ['how the world is, is asked', 'What does a feature flag do?'],
  ['somebody else is told of', 'My manager is on leave this week'],
])('no tool fits where %s: %s', (_why, message) => expect(decide(message).kind).toBe('none'));

test.each([
  ['Change the feature flag smart_sort on staging', 'set_feature_flag'],
  ['I forgot to refund order 4471023', 'refund_order'],
  ['Reserve a meeting room', 'book_room'],
])('what is missing is asked for all the same: %s', (message, tool) =>
  expect(decide(message)).toMatchObject({ kind: 'ask', tool }),
);
