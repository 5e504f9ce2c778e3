import { expect, test } from 'vitest';

import { newId } from '#kernel/ids';
import { agentGround } from '#test/agent-ground';
import { testCause } from '#test/agent-house';
import { callRecordOf } from './call-record.ts';

const ground = agentGround();
const { house, agentOf } = ground;

const fallback = (name: string, more: object = {}) => ({
  id: `double/${name}`,
  provider: 'double',
  providerId: newId(),
  model: name,
  ownedBy: 'platform',
  contextTokens: null,
  maxOutputTokens: 1_000,
  maxImageTokens: null,
  maxAudioTokens: null,
  outputCap: { coversReasoning: true },
  bytesPerToken: 4,
  fallbacks: [],
  ...more,
});
const tokensOf = (used: Readonly<Record<string, number>>) => (used['input_tokens'] ?? 0) + (used['output_tokens'] ?? 0);
const picture = (text: string) => [
  {
    role: 'user' as const,
    content: [
      { type: 'text' as const, text },
      { type: 'image' as const, url: 'https://example.com/a.png' },
    ],
  },
];

test('a step sets aside what its dearest fallback may use; one without a price does not answer under a money limit', async () => {
  const prices: Record<string, number | null> = { 'double/m': 1, 'double/dear': 5, 'double/free': null };
  const dear = fallback('dear', { outputCap: { coversReasoning: false }, contextTokens: 9_000 });
  const h = house({
    target: { fallbacks: [fallback('free'), dear] },
    priceOf: (model, used) => {
      const each = prices[model] ?? null;
      return each === null ? null : each * tokensOf(used);
    },
  });
  const of = await agentOf(h);
  const asked: string[][] = [];
  h.model.before = ({ target }) => {
    asked.push(target.fallbacks.map(({ id }) => id));
  };
  h.quota.limited = { tokens: true, money: true };
  h.model.answer = { target: dear };
  const { run, steps } = await h.module.runs.runInForeground(of.ask('hello'));
  expect(run.status).toBe('finished');
  expect(asked).toEqual([['double/dear']]);
  const { tokens, money, leftOut } = steps[0]?.reserved ?? { tokens: 0, money: null };
  expect(leftOut).toEqual([{ model: 'double/free', reason: 'model-unpriced' }]);
  const front = { origin: { ip: '', client: '' }, trace: [], stream: false };
  const row = callRecordOf({ ...run, callId: newId() }, front, steps, Temporal.Now.instant());
  expect(row.trace[0]?.detail).toMatchObject({ leftOut, reserved: { tokens, money } });
  expect(row.reserved).toEqual({ tokens, money });
  expect(tokens).toBeGreaterThan(9_000);
  // The run's own price is set aside with its step.
  expect(Number(money)).toBeCloseTo((5 * tokens) / 1_000_000 + 0.01);
  h.quota.limited = { tokens: true, money: false };
  await h.module.runs.runInForeground(of.ask('hello'));
  expect(asked[1]).toEqual(['double/free', 'double/dear']);
});

test('a model without a price is refused as the gateway refuses it', async () => {
  const h = house({ priceOf: () => null });
  const of = await agentOf(h);
  h.quota.limited = { tokens: false, money: true };
  const { run, problem } = await h.module.runs.runInForeground(of.ask('hello'));
  expect(run.status).toBe('failed');
  expect(problem?.kind).toMatchObject({ type: 'model-unpriced', status: 402 });
  const guarded = await agentOf(h, { guardrails: { maxMoney: '5' } });
  h.quota.limited = { tokens: false, money: false };
  expect((await h.module.runs.runInForeground(guarded.ask('hello'))).problem?.kind.type).toBe('model-unpriced');
  expect((await h.module.runs.runInForeground(of.ask('hello'))).run.status).toBe('finished');
  expect(h.model.calls).toBe(1);
});

test('estimated usage is never above what was set aside at the model that answered', async () => {
  const small = fallback('small', { maxOutputTokens: 20 });
  const h = house({ target: { fallbacks: [small] } });
  const of = await agentOf(h);
  h.model.quantities = { input_tokens: 1_000_000, output_tokens: 1_000_000 };
  h.model.answer = { estimated: true, target: small };
  const { run, steps } = await h.module.runs.runInForeground(of.ask('hello'));
  const quantities = steps[0]?.usage?.quantities as Record<string, number>;
  expect(quantities['output_tokens']).toBe(20);
  expect(tokensOf(quantities)).toBeLessThanOrEqual(steps[0]?.reserved?.tokens as number);
  expect(run.tokens).toBe(tokensOf(quantities));
  expect(h.quota.settled).toEqual([BigInt(run.tokens)]);
  // What a provider tells is taken as it is.
  h.model.answer = { target: small };
  expect((await h.module.runs.runInForeground(of.ask('hello'))).run.tokens).toBe(2_000_000);
});

test('a picture of unknown size is refused under a limit or a guardrail, and counted where its size is known', async () => {
  const unknown = house();
  const of = await agentOf(unknown);
  const guarded = await agentOf(unknown, { guardrails: { maxTokens: 100_000 } });
  const external = await unknown.module.agents.createAgent(
    of.tenantId,
    { name: 'elsewhere', definition: { kind: 'external', protocol: 'openai', url: ground.tools.url } },
    testCause,
  );
  const elsewhere = { ...of.ask(''), agent: { agentId: external.id, name: 'elsewhere', version: 1 } };
  unknown.quota.limited = { tokens: true, money: false };
  for (const request of [of.ask(''), elsewhere]) {
    const { problem } = await unknown.module.runs.runInForeground({ ...request, messages: picture('look') });
    expect(problem?.kind).toMatchObject({ type: 'media-unbounded', status: 400 });
  }
  unknown.quota.limited = { tokens: false, money: false };
  const bounded = await unknown.module.runs.runInForeground({ ...guarded.ask(''), messages: picture('look') });
  expect(bounded.problem?.kind.type).toBe('media-unbounded');
  expect(unknown.model.calls).toBe(0);
  const free = await unknown.module.runs.runInForeground({ ...of.ask(''), messages: picture('look') });
  expect(free.run.status).toBe('finished');

  const known = house({ target: { maxImageTokens: 700 } });
  const there = await agentOf(known);
  known.quota.limited = { tokens: true, money: true };
  const plain = await known.module.runs.runInForeground(there.ask('look'));
  const shown = await known.module.runs.runInForeground({ ...there.ask(''), messages: picture('look') });
  const more = Number(shown.steps[0]?.reserved?.tokens) - Number(plain.steps[0]?.reserved?.tokens);
  expect(more).toBeGreaterThanOrEqual(700);
  expect(more).toBeLessThan(1_000);
});
